"""Parzen-window log-likelihood: how the GAN paper scores its samples.

A Gaussian window of width sigma stands on each generated sample, and the likelihood is that of
held-out real points under their mean. High variance, poor in many dimensions, and no sure guide
to the quality of samples (Theis et al. 2016); kept because the paper's table is in these units.

References:
    Goodfellow et al. 2014, section 5, https://arxiv.org/abs/1406.2661
    Theis et al. 2016, https://arxiv.org/abs/1511.01844
"""

import itertools
from typing import NamedTuple

import numpy as np

from gan_keras.errors import UserError
from gan_keras.metrics import distances, rows

SIGMAS = np.logspace(-1, 0, 10)  # Goodfellow et al. 2014's code; pixels in [0, 1]
WIDENINGS = 9  # One more decade of that grid


class Choice(NamedTuple):
    """The windows' width and how it was found.

    Attributes:
        sigma: The width of the highest mean log-likelihood on the validation points.
        sigmas: All widths that were tried, (s,) float64, ascending.
        log_likelihoods: Their mean log-likelihoods in nats, (s,) float64.
        widened: How many of them were added beyond an edge of the grid that was asked for.
    """

    sigma: float
    sigmas: np.ndarray
    log_likelihoods: np.ndarray
    widened: int


def log_likelihood(samples, points, sigma):
    """log p(x) = log mean_i exp(-|x - s_i|^2 / (2 sigma^2)) - d/2 log(2 pi sigma^2).

    Finite however far a point is from all samples. Memory stays bounded.

    Args:
        samples: (n, d) float, generated; the windows stand here. For numbers that can be
            compared with the paper's: 10,000 flat images of pixels in [0, 1].
        points: (m, d) float, real, held out, in the same units.
        sigma: The windows' width, in those units, > 0.

    Returns:
        (m,) float64 nats, of either sign; higher is better. The score is their mean.

    Raises:
        ValueError: the arguments are invalid.
    """
    samples, points = rows.pair(samples, points, ("samples", "points"))
    _check_sigmas(np.atleast_1d(sigma))
    nats = np.empty(len(points))
    for part, squares in distances.blocks(points, samples):
        nats[part] = _log_density(squares, samples.shape[1], sigma)
    return nats


def choose_sigma(samples, validation, sigmas=SIGMAS, widenings=WIDENINGS):
    """The width under which the validation points are likeliest.

    An optimum at an edge of the grid is none: the grid then grows there, by its own ratio.
    Distances are computed once, and kept: 8 bytes a pair, 80 MB in the paper's protocol.

    Args:
        samples: (n, d) float, generated, as in `log_likelihood`.
        validation: (m, d) float, real, not among the points that are scored; 1,000 in the
            paper's code.
        sigmas: The widths to try, two at least, > 0, ascending.
        widenings: How many may be added.

    Returns:
        A Choice.

    Raises:
        ValueError: the arguments are invalid.
        UserError: the best width is still at an edge.
    """
    samples, validation = rows.pair(samples, validation, ("samples", "validation"))
    sigmas = np.asarray(sigmas, np.float64)
    _check_sigmas(sigmas)
    if sigmas.ndim != 1 or len(sigmas) < 2 or np.any(np.diff(sigmas) <= 0):
        raise ValueError(f"sigmas must be two or more, ascending, not {sigmas}")
    blocks = [squares for _, squares in distances.blocks(validation, samples)]

    def mean_log_likelihood(sigma):
        parts = [_log_density(squares, samples.shape[1], sigma) for squares in blocks]
        return np.concatenate(parts).mean()

    tried = {sigma: mean_log_likelihood(sigma) for sigma in sigmas.tolist()}
    for widened in itertools.count():
        grid = sorted(tried)
        best = max(grid, key=tried.get)
        if best not in (grid[0], grid[-1]):
            return Choice(best, np.array(grid), np.array([tried[s] for s in grid]), widened)
        if widened == widenings:
            raise UserError(
                f"sigma: the best of {grid[0]:.3g} to {grid[-1]:.3g} is {best:.3g}, at the edge;"
                " are samples and validation in the same units? If so, give a wider grid"
            )
        beyond = best * best / grid[1] if best == grid[0] else best * best / grid[-2]
        tried[beyond] = mean_log_likelihood(beyond)


def _log_density(squares, width, sigma):
    """Nats (m,) from squared distances (m, n)."""
    # The nearest sample's term is exactly 1: the sum never underflows to 0. scipy's logsumexp
    # does the same in thirty times the time.
    nearest = squares.min(axis=1)
    terms = np.exp((nearest[:, np.newaxis] - squares) / (2 * sigma**2))
    return (
        np.log(terms.mean(axis=1))
        - nearest / (2 * sigma**2)
        - width / 2 * np.log(2 * np.pi * sigma**2)
    )


def _check_sigmas(sigmas):
    if not np.all(np.isfinite(sigmas) & (sigmas > 0)):
        raise ValueError(f"sigma must be finite and above 0, not {sigmas}")
