"""What a run is: a frozen dataclass, presets for it, and its JSON file. No TensorFlow."""

from gan_keras.config.classes import CLASSES_FILE, load_classes, save_classes
from gan_keras.config.config import (
    CONFIG_FILE,
    DENSITIES,
    Config,
    check_resumable,
    from_preset,
    load,
    save,
    to_json,
)
from gan_keras.config.presets import PRESETS

__all__ = [
    "CLASSES_FILE",
    "CONFIG_FILE",
    "DENSITIES",
    "PRESETS",
    "Config",
    "check_resumable",
    "from_preset",
    "load",
    "load_classes",
    "save",
    "save_classes",
    "to_json",
]
