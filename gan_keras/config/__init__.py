"""What a run is: a frozen dataclass, presets for it, and its JSON file. No TensorFlow."""

from gan_keras.config.config import (
    CONFIG_FILE,
    DENSITIES,
    MAY_CHANGE,
    Config,
    check_resumable,
    from_preset,
    load,
    save,
    to_json,
)
from gan_keras.config.presets import PRESETS

__all__ = [
    "CONFIG_FILE",
    "DENSITIES",
    "MAY_CHANGE",
    "PRESETS",
    "Config",
    "check_resumable",
    "from_preset",
    "load",
    "save",
    "to_json",
]
