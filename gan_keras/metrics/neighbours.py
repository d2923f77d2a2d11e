"""Fidelity and diversity by nearest neighbours: precision and recall, density and coverage.

A set's support is taken to be the balls around its rows, each as large as the distance to the
row's k-th nearest neighbour. Every function returns what each sample contributes: the score is
the mean, and `bootstrap.mean_interval` gives its interval. That interval is of the samples
counted, with the balls as they are; it does not know that other balls might have been had.

A row on the surface of a ball is inside, as Kynkäänniemi et al. define it. Rows that only
rounding tells apart are held to be the same, so that copies of a row always are.

References:
    Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991
    Naeem et al. 2020, https://arxiv.org/abs/2002.09797
"""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from gan_keras.metrics import distances, rows

# Of the squared distances of two rows from the middle: far above the rounding of the square
# between them, some 1e-15, and of effect only for balls a millionth as large as that distance.
TOLERANCE = 1e-12
# Which neighbour sets a ball's radius, in the two papers.
PRECISION_K, DENSITY_K = 3, 5


def precision_and_recall(real, generated, k=PRECISION_K):
    """Which generated samples are in the real support, and which real ones in the generated.

    Args:
        real: (n, d) float features, n > k.
        generated: (m, d) float features, m > k; equally many, for scores that are to be
            compared, since balls shrink as rows are added.
        k: Which neighbour sets a ball's radius; 3 in the paper.

    Returns:
        (m,) bool, whose mean is the precision, and (n,) bool, whose mean is the recall; both
        are in [0, 1], and higher is better.

    Raises:
        ValueError: the features are invalid, or not more than k of them.
    """
    real, generated = _pair(real, generated, k)
    precise, _ = _balls(real, generated, k)
    recalled, _ = _balls(generated, real, k)
    return precise > 0, recalled > 0


def density_and_coverage(real, generated, k=DENSITY_K):
    """How many real balls hold each generated sample, and which real balls hold any.

    For two sets of one distribution the expected density is 1 and the expected coverage
    1 - prod_{j=1..k} (n - j) / (n + m - j), about 1 - 2^-k = 0.97 for n = m and k = 5.

    Args:
        real: (n, d) float features, n > k.
        generated: (m, d) float features, m > k.
        k: Which neighbour sets a ball's radius; 5 in the paper.

    Returns:
        (m,) float64, the balls divided by k, whose mean is the density: >= 0, and may pass 1;
        and (n,) bool, whose mean is the coverage, in [0, 1]. Higher is better.

    Raises:
        ValueError: the features are invalid, or not more than k of them.
    """
    real, generated = _pair(real, generated, k)
    held, covered = _balls(real, generated, k)
    return held / k, covered


def _pair(real, generated, k):
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return rows.pair(real, generated, ("real", "generated"), at_least=k + 1)


def _balls(centres, points, k):
    """How many of the centres' balls hold each point (m,), and which of the balls hold any (n,)."""
    # The search cancels as `distances.blocks` does, so it gets the same middle.
    middle = np.median(centres, axis=0)
    centres, points = centres - middle, points - middle
    # Without an argument each row's neighbours are searched, and the row itself left out.
    radii = NearestNeighbors(n_neighbors=k).fit(centres).kneighbors()[0][:, -1]
    limits = radii**2 + TOLERANCE * np.sum(centres**2, axis=1)
    slack = TOLERANCE * np.sum(points**2, axis=1)[:, np.newaxis]
    held, any_held = np.empty(len(points), np.int64), np.zeros(len(centres), bool)
    for part, squares in distances.blocks(points, centres):
        squares -= slack[part]
        inside = squares <= limits
        held[part] = np.count_nonzero(inside, axis=1)
        any_held |= inside.any(axis=0)
    return held, any_held
