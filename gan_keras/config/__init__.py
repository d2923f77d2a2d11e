"""What a run is: a frozen dataclass, presets for it, and its JSON file. No TensorFlow."""

from gan_keras.config import best_score, folder_choice, random_streams
from gan_keras.config.checks import check_live
from gan_keras.config.classes import CLASSES_FILE, load_classes, save_classes
from gan_keras.config.config import (
    CONFIG_FILE,
    DENSITIES,
    MAY_CHANGE,
    SCORES_FOLDER,
    Config,
    check_resumable,
    defining,
    differences,
    from_preset,
    load,
    save,
    settle,
    to_json,
)
from gan_keras.config.presets import PRESETS

__all__ = [
    "CLASSES_FILE",
    "CONFIG_FILE",
    "DENSITIES",
    "MAY_CHANGE",
    "PRESETS",
    "SCORES_FOLDER",
    "Config",
    "best_score",
    "check_live",
    "check_resumable",
    "defining",
    "differences",
    "folder_choice",
    "from_preset",
    "load",
    "load_classes",
    "random_streams",
    "save",
    "save_classes",
    "settle",
    "to_json",
]
