"""Generators that ship with the package, by their names: `pretrained:mnist`.

`pretrained_models/<name>/` beside this file is the folder of a run without its checkpoints:

    config.json, classes.json   as the run has them
    weights.npz                 of the generator that samples, matrices in half precision
    model_card.json             step, origin of the data, the commands that made it
    scores/                     score cards of these weights, as `gan-keras-compare` reads them

`scripts/make_pretrained.py` makes it from a run.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

import gan_keras
from gan_keras import files
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract

PREFIX = "pretrained:"
FOLDER = Path(__file__).parent / "pretrained_models"
WEIGHTS, SCORES = "weights.npz", "scores"
# All files of one: an installation is downloaded by many, and used by few.
MOST_BYTES = 4 * 2**20
DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


def names() -> list[str]:
    """Returns the names of what ships with this version."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{WEIGHTS}"))


def folder(place: str | Path) -> Path | None:
    """Returns the folder of `pretrained:<name>`; None of any other place.

    Raises:
        UsageError: nothing of that name ships with this version.
    """
    if not str(place).startswith(PREFIX):
        return None
    name = str(place).removeprefix(PREFIX)
    if name not in names():
        raise UsageError(f"{place}: unknown; choose from {', '.join(names()) or 'none'}")
    return FOLDER / name


def halve(weights: list[np.ndarray]) -> list[np.ndarray]:
    """Returns weights as they are kept: matrices and kernels in float16, vectors in float32.

    Vectors, as averages of batch normalisation, take next to no room, and may be out of the
    range of float16.

    Raises:
        UserError: a weight is, 65,504 at most.
    """
    with np.errstate(over="ignore"):
        kept = [each.astype(np.float16 if each.ndim > 1 else np.float32) for each in weights]
    if not all(np.isfinite(each).all() for each in kept):
        raise UserError("a weight is not finite in half precision; choose another checkpoint")
    return kept


def write_weights(generator: keras.Model, path: Path) -> None:
    """Writes the weights of a generator, whole or not at all, and rounds its own to them."""
    kept = halve(generator.get_weights())
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {str(i): each for i, each in enumerate(kept)}
    np.savez_compressed(buffer, **arrays)
    files.write(path, buffer.getvalue())
    generator.set_weights([each.astype(np.float32) for each in kept])


def read_weights(generator: keras.Model, path: Path) -> None:
    """Sets the weights of a generator to what `write_weights` has written.

    Raises:
        UserError: the file is missing, corrupt, or of another network.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            kept = [arrays[str(i)].astype(np.float32) for i in range(len(arrays.files))]
        generator.set_weights(kept)
    except DAMAGE as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
        raise UserError(
            f"{path}: cannot be read ({reason}); install gan_keras {gan_keras.__version__} again"
        ) from None


def read_card(path: Path) -> dict[str, Any]:
    """Returns the content of a folder's model card.

    Raises:
        UserError: it is missing or corrupt.
    """
    file = path / contract.MODEL_CARD_FILE
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        return card | {"step": int(card["step"])}
    except DAMAGE:
        raise UserError(
            f"{file}: missing or corrupt; install gan_keras {gan_keras.__version__} again"
        ) from None
