"""Saving and restoring runs: whole files or none, corrupt ones found and named."""

from gan_keras.checkpoints.best import Best
from gan_keras.checkpoints.save_restore import (
    BEST,
    Checkpoints,
    any_saved,
    directory,
    locate,
    manager,
    refuse_pattern,
    restore_generator,
    restore_latest,
)

__all__ = [
    "BEST",
    "Best",
    "Checkpoints",
    "any_saved",
    "directory",
    "locate",
    "manager",
    "refuse_pattern",
    "restore_generator",
    "restore_latest",
]
