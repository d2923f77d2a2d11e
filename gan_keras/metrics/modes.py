"""Samples of a mixture that is known: isotropic Gaussians of one width around known centres.

References:
    Srivastava et al. 2017 (VEEGAN), https://arxiv.org/abs/1705.07761
    Lin et al. 2018 (PacGAN), https://arxiv.org/abs/1712.04086
"""

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import rel_entr

from gan_keras.metrics import distances, rows

DEVIATIONS = 3.0  # Srivastava et al. 2017 on their plane mixtures


def assign(points, centres):
    """The nearest centre of each point.

    Args:
        points: (n, d) float.
        centres: (c, d) float.

    Returns:
        (n,) integers, indices of centres; the lowest of those that are equally near.

    Raises:
        ValueError: the arguments are invalid.
    """
    return _nearest(points, centres)[0]


def high_quality(points, centres, sigma, deviations=DEVIATIONS):
    """Whether each point is within `deviations` sigma of its nearest centre.

    Of the mixture itself a share of P(chi^2_d <= deviations^2) is: 0.989 on a plane with 3,
    but less than 0.01 from d = 22 on. (Srivastava et al. take 10 for 1,200 dimensions.)

    Args:
        points: (n, d) float.
        centres: (c, d) float.
        sigma: The mixture's standard deviation along each axis, in units of the points, > 0.
        deviations: The radius in standard deviations, > 0.

    Returns:
        (n,) bool; their mean is the share of high-quality samples, in [0, 1]: higher is better,
        up to the mixture's own share.

    Raises:
        ValueError: the arguments are invalid.
    """
    return _high_quality(points, centres, sigma, deviations)[1]


def modes_covered(points, centres, sigma, deviations=DEVIATIONS):
    """How many centres are the nearest one of at least one high-quality point.

    Args:
        points: (n, d) float.
        centres: (c, d) float.
        sigma: As in `high_quality`.
        deviations: As in `high_quality`.

    Returns:
        Integer from 0 to c; higher is better.

    Raises:
        ValueError: as `high_quality`.
    """
    nearest, good = _high_quality(points, centres, sigma, deviations)
    return len(np.unique(nearest[good]))


def histogram_jsd(counts, masses):
    """JSD(p || q) = (KL(p || m) + KL(q || m)) / 2, m = (p + q) / 2, p = counts / n, q = masses.

    The cells are the whole story: a difference inside one is not seen, and every point must be
    in one, so there is one for "elsewhere" where a grid does not reach.

    Too high on few points. A cell's share of the JSD is f(p) with f'' = q / (2 p (p + q)), and
    var(p) = p (1 - p) / n, so the second order of the expansion adds
    sum q (1 - p) / (p + q) / (4 n): (cells - 1) / (8 n) when the sample follows the density.
    It holds where all cells expect several points, n q >> 1.

    Args:
        counts: Points in each cell, integers >= 0 of any shape, at least one point in all.
        masses: The known density's mass in each cell, float >= 0 of the same shape, with the
            sum 1 (to 1e-6).

    Returns:
        Nats, from 0 (the histogram is the density) to log 2 (nothing in common); lower is
        better.

    Raises:
        ValueError: the shapes differ, or either array is invalid.
    """
    counts, masses = _histogram(counts, masses)
    shares = counts / counts.sum()
    # p log(p / m) as 2p log(2p / (p + q)) / 2: half of the least number that is not 0 is 0.
    both = shares + masses
    fourfold = rel_entr(2 * shares, both).sum() + rel_entr(2 * masses, both).sum()
    return float(max(fourfold, 0.0)) / 4  # Rounding may leave a little less than nothing.


def histogram_kl(counts, masses):
    """KL(p || q) = sum p log(p / q), p = counts / n, q = masses.

    Too high on few points, by about (cells - 1) / (2 n) when the sample follows the masses.

    Args:
        counts: As in `histogram_jsd`.
        masses: As in `histogram_jsd`, and none of them 0.

    Returns:
        Nats, from 0 (the histogram is the masses) up; lower is better.

    Raises:
        ValueError: as `histogram_jsd`, or a cell without mass.
    """
    counts, masses = _histogram(counts, masses)
    if not masses.min() > 0:
        raise ValueError("masses must be above 0")
    return max(float(rel_entr(counts / counts.sum(), masses).sum()), 0.0)


def _histogram(counts, masses):
    """The arguments of both divergences, checked."""
    counts, masses = np.asarray(counts), np.asarray(masses, np.float64)
    if counts.shape != masses.shape:
        raise ValueError(f"counts {counts.shape} and masses {masses.shape} must be of one shape")
    if counts.dtype.kind not in "iu" or counts.min(initial=0) < 0 or counts.sum() < 1:
        raise ValueError(
            f"counts must be integers >= 0 with one point at least, not {counts.dtype}"
            f" from {counts.min(initial=0)} with the sum {counts.sum()}"
        )
    if not (masses.min() >= 0 and abs(masses.sum() - 1) <= 1e-6):
        raise ValueError(f"masses must be >= 0 with the sum 1, not {masses.sum()}")
    return counts, masses


def _nearest(points, centres):
    """Index of each point's nearest centre, and the distance."""
    points, centres = rows.pair(points, centres, ("points", "centres"))
    index, apart = np.empty(len(points), np.int64), np.empty(len(points))
    for part in distances.slices(len(points), len(centres) * centres.itemsize):
        # By differences, not by `distances.blocks`: they are few, and nothing cancels.
        block = cdist(points[part], centres)
        index[part], apart[part] = block.argmin(axis=1), block.min(axis=1)
    return index, apart


def _high_quality(points, centres, sigma, deviations):
    if not (sigma > 0 and deviations > 0):
        raise ValueError(f"sigma and deviations must be above 0, not {sigma} and {deviations}")
    nearest, apart = _nearest(points, centres)
    return nearest, apart <= deviations * sigma
