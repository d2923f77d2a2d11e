"""What a score accepts: sets of float rows. Anything else would give a number, and a wrong one."""

import numpy as np


def checked(rows, name, at_least=1):
    """One set of rows.

    Args:
        rows: (n, width) float16, float32 or float64, finite. Integers are refused: bytes in
            [0, 255] are the commonest way to a wrong score.
        name: What the message calls it.
        at_least: The fewest rows.

    Returns:
        float64 array of the same shape; `rows` itself if it was one.

    Raises:
        ValueError: another shape or dtype, too few rows, NaN or infinity.
    """
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[1] == 0 or rows.dtype.kind != "f":
        raise ValueError(f"{name} must be float (rows, width), not {rows.dtype} {rows.shape}")
    if len(rows) < at_least:
        raise ValueError(f"{name} must have at least {at_least} rows, not {len(rows)}")
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name} has NaN or infinity in {np.sum(~finite)} of {len(rows)} rows")
    return rows.astype(np.float64, copy=False)


def pair(one, other, names, at_least=1):
    """Two sets of rows of one width.

    Args:
        one: As in `checked`.
        other: As in `checked`.
        names: What the message calls the two.
        at_least: The fewest rows of each.

    Returns:
        Two float64 arrays.

    Raises:
        ValueError: as `checked`, or the widths differ.
    """
    one, other = checked(one, names[0], at_least), checked(other, names[1], at_least)
    if one.shape[1] != other.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]} must be equally wide,"
            f" not {one.shape[1]} and {other.shape[1]}"
        )
    return one, other
