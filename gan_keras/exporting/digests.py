"""Whether an exported version is what its exporter wrote: a digest of each file, in its card.

TensorFlow checks the weights when it loads them, but not the graph, in which a flipped bit may
be another constant and so other pictures.
"""

import hashlib
import json
from pathlib import Path

from gan_keras import files
from gan_keras.exporting import contract

FIELD = "files"


def of(folder):
    """Returns the SHA-256 of each file of a folder, by its path in it, but for the model card."""
    return {
        str(path.relative_to(folder)): _digest(path)
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name != contract.MODEL_CARD_FILE
    }


def read_card(folder):
    """Returns the model card of a version, a dict.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: it is corrupt.
    """
    path = Path(folder, contract.MODEL_CARD_FILE)
    try:
        return files.unsealed(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path.name} is corrupt: {error}") from None


def check(folder):
    """Compares a version with its model card; one without card or digests passes.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is missing or corrupt; it is named.
    """
    try:
        expected = read_card(folder).get(FIELD, {})
    except FileNotFoundError:
        return
    for name, digest in expected.items():
        try:
            found = _digest(Path(folder, name))
        except FileNotFoundError:
            raise ValueError(f"{name} is missing") from None
        if found != digest:
            raise ValueError(f"{name} is corrupt")


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
