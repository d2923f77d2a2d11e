"""A run's generator, built anew and restored."""

import dataclasses
from pathlib import Path

import keras

from gan_keras import checkpoints, networks
from gan_keras import config as configs
from gan_keras.errors import UsageError, UserError


@dataclasses.dataclass(frozen=True)
class Trained:
    """The generator to sample from, and what it is.

    Attributes:
        generator: Functional model, with the weights of the checkpoint.
        config: Config of the run.
        step: Training step of the checkpoint.
        classes: Names of the classes, by number; empty where the run has no labels.
    """

    generator: keras.Model
    config: configs.Config
    step: int
    classes: list[str]


def restore(workdir: str | Path) -> Trained:
    """Restores the newest whole checkpoint of a run.

    Raises:
        UserError: there is no run, or no whole checkpoint of it.
        UsageError: the run makes points, not images.
    """
    config = configs.load(workdir)
    if config.dataset in configs.DENSITIES:
        raise UsageError(
            f"{workdir}: a run on {config.dataset} makes points; only generators of images are "
            "exported and loaded"
        )
    classes = configs.load_classes(workdir)
    if config.conditional and not classes:
        path = Path(workdir, configs.CLASSES_FILE)
        raise UserError(f"{path}: missing, so that the run's classes are unknown; restore it")
    # Outside any strategy, whatever the run was trained on; its weights are about to be restored.
    generator = networks.generator(config, len(classes))
    return Trained(generator, config, checkpoints.restore_generator(generator, workdir), classes)
