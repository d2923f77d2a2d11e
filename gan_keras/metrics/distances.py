"""Squared Euclidean distances of all pairs, a block at a time.

|x - y|^2 = |x|^2 - 2 x.y + |y|^2 is one matrix product, tens of times faster than differences
for wide rows, but it cancels: the absolute error of a square is a few 1e-16 of |x|^2 + |y|^2,
however near the two rows are. Hence float64, and the origin moved to the middle of the data.
The middle is the median: one row that is far away must not cost the others their precision.
"""

import numpy as np

BLOCK_BYTES = 32 * 2**20  # a few times what a matrix product needs to run at full speed


def slices(count, bytes_each):
    """Cuts `count` rows into consecutive slices of at most BLOCK_BYTES (one row at least)."""
    step = max(1, BLOCK_BYTES // bytes_each)
    return [slice(start, start + step) for start in range(0, count, step)]


def blocks(points, centres):
    """Squared distances of all points to all centres.

    Args:
        points: (n, width) float64.
        centres: (m, width) float64.

    Yields:
        A slice of the points, and their squared distances (slice, m) float64, never negative;
        the array is the caller's to keep or to change.
    """
    middle = np.median(centres, axis=0)
    points, centres = points - middle, centres - middle
    centre_norms = np.einsum("ij,ij->i", centres, centres)
    for part in slices(len(points), centres.shape[0] * centres.itemsize):
        block = points[part]
        squares = block @ (-2 * centres.T)
        squares += np.einsum("ij,ij->i", block, block)[:, np.newaxis]
        squares += centre_norms
        yield part, np.maximum(squares, 0, out=squares)
