"""A run's generator, or one that ships with the package, built anew and restored."""

import dataclasses
from pathlib import Path

import keras

from gan_keras import checkpoints, networks
from gan_keras import config as configs
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import pretrained


@dataclasses.dataclass(frozen=True)
class Trained:
    """The generator to sample from, and what it is.

    Attributes:
        generator: Functional model, with the weights of the checkpoint.
        config: Config of the run.
        step: Training step of the checkpoint.
        classes: Names of the classes, by number; empty where the run has no labels.
        card: What a model that ships with the package says of itself; empty of a run.
        folder: Where that model is; None of a run.
    """

    generator: keras.Model
    config: configs.Config
    step: int
    classes: list[str]
    card: dict = dataclasses.field(default_factory=dict)
    folder: Path | None = None


def restore(workdir: str | Path, checkpoint: int | str | None = None) -> Trained:
    """Restores a whole checkpoint of a run, or `pretrained:<name>`.

    Args:
        workdir: Folder of the run, or the name.
        checkpoint: Step, or `best`; the newest by default.

    Raises:
        UserError: there is no run, or no whole checkpoint of it.
        UsageError: the run makes points, not images, or does not have the checkpoint.
    """
    shipped = pretrained.folder(workdir)
    if shipped is not None:
        if checkpoint is not None:
            raise UsageError(f"--checkpoint={checkpoint}: {workdir} has only one; omit it")
        return restore_shipped(shipped)
    config = configs.load(workdir)
    if config.dataset in configs.DENSITIES:
        raise UsageError(
            f"{workdir}: a run on {config.dataset} makes points; only generators of images are "
            "exported and loaded"
        )
    classes = configs.load_classes(workdir)
    if config.labelled and not classes:
        path = Path(workdir, configs.CLASSES_FILE)
        raise UserError(f"{path}: missing, so that the run's classes are unknown; restore it")
    # Outside any strategy, whatever the run was trained on; its weights are about to be restored.
    generator = networks.generator(config, len(classes))
    step = checkpoints.restore_generator(generator, workdir, checkpoint)
    return Trained(generator, config, step, classes)


def restore_shipped(folder: Path) -> Trained:
    """Restores the generator of a folder that `write` has made.

    Raises:
        UserError: a file is missing or corrupt.
    """
    config, classes = configs.load(folder), configs.load_classes(folder)
    card = pretrained.read_card(folder)
    generator = networks.generator(config, len(classes))
    pretrained.read_weights(generator, folder / pretrained.WEIGHTS)
    return Trained(generator, config, card["step"], classes, card, folder)


def write(run: Trained, folder: Path) -> None:
    """Writes what `restore_shipped` reads, but for the model card and the score cards.

    Args:
        run: Its generator is rounded to the weights that are kept.
        folder: Made if missing.
    """
    # Where the data were on the maker's machine is nobody's.
    configs.save(dataclasses.replace(run.config, data_dir=""), folder)
    if run.classes:
        configs.save_classes(run.classes, folder)
    pretrained.write_weights(run.generator, folder / pretrained.WEIGHTS)
