"""What is asked of a generator, checked: counts, seeds, latents and labels. No TensorFlow."""

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from gan_keras.errors import UsageError
from gan_keras.exporting import contract

SEED_MIN, SEED_MAX = -(2**63), 2**63 - 1


def integer(name: str, value: Any) -> int:
    """Returns an integer as Python's own.

    Raises:
        UsageError: it is none; the message names the argument.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise UsageError(f"{name} must be an integer, not {value!r}") from None


def seeds(count: Any, seed: Any) -> range:
    """Returns the seeds `seed` to `seed + count - 1`.

    Raises:
        UsageError: one of both is no integer, count is below 1, or a seed is not int64.
    """
    count, seed = integer("count", count), integer("seed", seed)
    if count < 1:
        raise UsageError(f"count must be at least 1, not {count}")
    if not SEED_MIN <= seed <= SEED_MAX - (count - 1):
        raise UsageError(
            f"seed must be from {SEED_MIN} to {SEED_MAX - (count - 1)}"
            f" for {count} pictures, not {seed}"
        )
    return range(seed, seed + count)


def latents(values: Any, latent_dim: int | None = None) -> np.ndarray:
    """Returns latent vectors as float32 (n, latent_dim).

    Args:
        values: What is to be one.
        latent_dim: Their length; None: any.

    Raises:
        UsageError: another shape, nothing in it, or a value that is not finite.
    """
    array = np.asarray(values, np.float32)
    if array.ndim != 2 or 0 in array.shape or latent_dim not in (None, array.shape[1]):
        length = "latent_dim" if latent_dim is None else latent_dim
        raise UsageError(f"latents must be (n, {length}), none of them 0, not {array.shape}")
    if not np.isfinite(array).all():
        raise UsageError("latents must be finite")
    return array


def labels(label: Any, count: int) -> np.ndarray:
    """Returns one class number per row, int64 (count,).

    Args:
        label: A class number for all rows, or one for each.
        count: Number of rows.

    Raises:
        UsageError: no integers, or another number of them.
    """
    array = np.asarray(label)
    if array.dtype.kind not in "iu":
        raise UsageError(f"label must be an integer, or one for each picture, not {label!r}")
    if array.shape not in ((), (count,)):
        raise UsageError(f"label must be one integer or {count} of them, not {array.shape}")
    return np.broadcast_to(array.astype(np.int64), (count,))


def batches(count: int) -> Iterator[slice]:
    """Cuts so many rows into slices of at most a server's largest batch."""
    for first in range(0, count, contract.MAX_BATCH_SIZE):
        yield slice(first, first + contract.MAX_BATCH_SIZE)
