"""Pictures in this process, from a run or from an export, as a server would give them."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gan_keras import config as configs
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import arguments, contract, digests, folding, pretrained, trained
from gan_keras.exporting.served import Served

Function = Callable[..., dict[str, tf.Tensor]]


class LoadedGenerator:
    """A trained generator, ready to make pictures. `gan_keras.load` makes one.

    Attributes:
        path: The run's folder or the export's version folder.
        step: Training step of the weights.
        classes: Names of the classes, by number; empty if the model was trained without labels.
        latent_dim: Length of a latent vector.
    """

    def __init__(
        self,
        path: Path,
        step: int,
        classes: Sequence[str],
        latent_dim: int,
        functions: Mapping[str, Function],
        model: tf.Module,
    ) -> None:
        self._model = model  # A function does not keep the variables alive that it reads.
        self.path = path
        self.step = step
        self.classes = tuple(classes)
        self.latent_dim = latent_dim
        self._functions = functions

    def sample(
        self, count: int, seed: int = 0, label: int | str | Sequence[int] | None = None
    ) -> np.ndarray:
        """Pictures of the seeds `seed` to `seed + count - 1`.

        Picture i depends on nothing but `seed + i` and its label: asking for more never changes
        one. A server of the same export gives the same pictures.

        Args:
            count: How many, >= 1.
            seed: int64; the last seed must be one too.
            label: Class of all pictures, by number or by name, or the number for each. By
                default each picture's class is drawn from its seed.

        Returns:
            (count, height, width, channels) uint8.

        Raises:
            UsageError: count, seed or label out of range.
        """
        seeds = np.array(arguments.seeds(count, seed), np.int64)
        columns = {contract.SEED: seeds}
        if label is None:
            return self._rows(contract.SAMPLE_SIGNATURE, columns)
        columns[contract.LABEL] = self._labels(label, len(seeds))
        return self._rows(contract.SAMPLE_LABEL_SIGNATURE, columns)

    def latents(self, count: int, seed: int = 0) -> np.ndarray:
        """The latent vectors that `sample` makes pictures of.

        Args:
            count: As of `sample`.
            seed: As of `sample`.

        Returns:
            (count, latent_dim) float32, for `generate`.

        Raises:
            UsageError: count or seed out of range.
            UserError: an export of a version that did not have this.
        """
        seeds = np.array(arguments.seeds(count, seed), np.int64)
        if contract.SEED_LATENTS_SIGNATURE not in self._functions:
            raise UserError(f"{self.path}: gives no latents of seeds; export the run again")
        columns = {contract.SEED: seeds}
        return self._rows(contract.SEED_LATENTS_SIGNATURE, columns, contract.LATENTS)

    def generate(self, latents: Any, label: int | str | Sequence[int] | None = None) -> np.ndarray:
        """Pictures of given latent vectors.

        Args:
            latents: (n, latent_dim) float32, n >= 1, finite, drawn from the prior that the
                model was trained with.
            label: As of `sample`; required if the model has classes.

        Returns:
            (n, height, width, channels) float32 in [-1, 1].

        Raises:
            UsageError: latents of another shape or not finite, or a label that is no class.
        """
        latents = arguments.latents(latents, self.latent_dim)
        columns = {contract.LATENTS: latents}
        if label is not None:
            columns[contract.LABEL] = self._labels(label, len(latents))
        elif self.classes:
            raise UsageError(f"label: required, since {self.path} has {len(self.classes)} classes")
        return self._rows(contract.LATENTS_SIGNATURE, columns)

    def _labels(self, label, count):
        """Returns checked class numbers, int64 (count,)."""
        if not self.classes:
            raise UsageError(
                f"label={label}: {self.path} was trained without labels; omit label, or train with "
                "--conditional"
            )
        if isinstance(label, str):
            if label not in self.classes:
                raise UsageError(f"label={label!r}: choose from {', '.join(self.classes)}")
            label = self.classes.index(label)
        numbers = arguments.labels(label, count)
        strange = numbers[(numbers < 0) | (numbers >= len(self.classes))]
        if strange.size:
            raise UsageError(f"label={strange[0]}: must be from 0 to {len(self.classes) - 1}")
        return numbers

    def _rows(self, signature, columns, output=contract.IMAGES):
        function = self._functions[signature]
        count = len(next(iter(columns.values())))
        answers = []
        for rows in arguments.batches(count):
            batch = {name: tf.constant(values[rows]) for name, values in columns.items()}
            answers.append(function(**batch)[output].numpy())
        return np.concatenate(answers)


def load(path: str | Path, checkpoint: int | str | None = None) -> LoadedGenerator:
    """Loads a trained generator.

        >>> import gan_keras
        >>> pictures = gan_keras.load("runs/digits").sample(count=64, seed=0)
        >>> pictures.shape, pictures.dtype
        ((64, 16, 16, 1), dtype('uint8'))

    Args:
        path: A run's folder, whose newest checkpoint is taken; or a version folder that
            `gan_keras.export` made; or a folder of versions, of which the newest is taken; or
            `pretrained:mnist`, a model that ships with the package.
        checkpoint: Of a run's folder: training step, or `best`.

    Returns:
        The generator, with `sample`, `latents` and `generate`.

    Raises:
        UserError: neither is there, or it cannot be read.
        UsageError: a run that makes points, not images, or a name or checkpoint that is not there.
    """
    shipped = pretrained.folder(path) is not None
    # Not by pathlib, which raises an error for a name that is too long.
    if shipped or os.path.exists(Path(path, configs.CONFIG_FILE)):
        return _from_run(path, checkpoint)
    path = Path(path)
    if checkpoint is not None:
        raise UsageError(f"checkpoint={checkpoint}: {path} is no run's folder; omit it")
    versions = [path, *path.glob("[0-9]*")] if os.path.isdir(path) else []
    found = [each for each in versions if (each / "saved_model.pb").exists()]
    if not found:
        raise UserError(
            f"{path}: neither a run's folder ({configs.CONFIG_FILE}) nor an export "
            "(saved_model.pb); train into it, or choose another"
        )
    return _from_export(path if path in found else max(found, key=_number))


def _from_run(path, checkpoint):
    run = trained.restore(path, checkpoint)
    served = Served(folding.fold(run.generator), run.config.prior, classes=run.classes)
    return LoadedGenerator(
        run.folder or Path(path),
        run.step,
        run.classes,
        run.config.latent_dim,
        served.signatures(),
        served,
    )


def _from_export(path):
    try:
        card = digests.read_card(path)
        # Exports of earlier versions have no classes.
        classes = list(card.get("classes", []))
        step, latent_dim = int(card["step"]), int(card["config"]["latent_dim"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{path / contract.MODEL_CARD_FILE}: missing or corrupt; export the run again"
        ) from None
    try:
        digests.check(path)
        model = tf.saved_model.load(str(path))
    except (OSError, tf.errors.OpError, ValueError) as error:
        raise UserError(f"{path}: cannot be loaded ({error}); export the run again") from None
    return LoadedGenerator(path, step, classes, latent_dim, model.signatures, model)


def _number(folder):
    """Returns a version folder's number; 0 of a name that servers do not take for one."""
    return int(folder.name) if folder.name.isascii() and folder.name.isdigit() else 0
