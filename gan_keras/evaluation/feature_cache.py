"""Features of real images, kept for the next evaluation of the same ones."""

import hashlib
import io
import json
import logging
from pathlib import Path

import numpy as np

from gan_keras import files
from gan_keras.evaluation.extractors import Extractor

logger = logging.getLogger(__name__)

# Part of every key: raise it when an extractor that describes itself as before computes others.
VERSION = 1


def features(extractor: Extractor, images: np.ndarray, folder: str | Path) -> np.ndarray:
    """Returns the features of images, computed or as an earlier call kept them.

    The key is the images' own pixels and the extractor's description: whatever chose the
    images, as data set, version, split, number or seed, cannot be forgotten in it. Hashing
    them takes a small part of the time that reading them took.

    A file that is corrupt is replaced; one that cannot be written is logged, as an
    evaluation need not fail for it.

    Args:
        extractor: An Extractor; one without weights is fast, and nothing is kept of it.
        images: (n, height, width, channels) uint8.
        folder: Where the files are kept; made if missing.

    Returns:
        (n, dimensions) float32.
    """
    if extractor.sha256 is None:
        return extractor(images)
    path = Path(folder, f"{extractor.name}-{_key(extractor, images)}.npz")
    kept = _read(path, (len(images), extractor.dimensions))
    if kept is not None:
        return kept
    computed = extractor(images)
    try:
        _write(path, computed)
    except OSError as error:
        logger.warning("%s: features are not kept: %s", path, error.strerror)
    return computed


def _key(extractor, images):
    about = [VERSION, extractor.describe(), images.shape]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(images))
    return digest.hexdigest()[:32]


def _read(path, shape):
    """Returns what a whole file holds, or None. Its archive has a checksum of its content."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = arrays["features"]
    # A flipped bit may reach any line of the readers of zip, zlib and npy: NotImplementedError,
    # struct.error, zlib.error, SyntaxError, MemoryError and others were seen.
    except Exception:
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None


def _write(path, computed):
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez(buffer, features=computed)
    files.write(path, buffer.getvalue())
