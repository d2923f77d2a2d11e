"""How sure a score is: confidence intervals.

The level is the share of repetitions, with fresh samples from the same generator, in which the
interval would hold what it is of.

Reference: Davison & Hinkley 1997, Bootstrap Methods and their Application, chapters 2 and 5
"""

from typing import NamedTuple

import numpy as np
import scipy.stats

from gan_keras.config import random_streams


class Interval(NamedTuple):
    """A score and its confidence interval, in the score's own units."""

    estimate: float
    low: float
    high: float


def mean_interval(values, level=0.95):
    """mean +- t s / sqrt(n): of a score that is a mean of independent contributions.

    t is Student's quantile with n - 1 degrees of freedom: exact for Gaussian values, and for
    others as the mean becomes Gaussian. Booleans get Wilson's interval instead, which is not of
    width 0 when all agree.

    Args:
        values: What each sample contributes, (n,) float or bool, n >= 2.
        level: Of confidence, in (0, 1).

    Returns:
        An Interval around the mean; of booleans, around their share.

    Raises:
        ValueError: invalid values or level.
    """
    values = np.asarray(values)
    _check_level(level)
    if values.ndim != 1 or len(values) < 2 or values.dtype.kind not in "fb":
        raise ValueError(
            f"values must be float or bool (n,), n >= 2, not {values.dtype} {values.shape}"
        )
    if values.dtype.kind == "b":
        found = scipy.stats.binomtest(int(values.sum()), len(values))
        low, high = found.proportion_ci(level, method="wilson")
        return Interval(float(values.mean()), float(low), float(high))
    values = values.astype(np.float64)
    mean, error = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
    half = scipy.stats.t.ppf((1 + level) / 2, len(values) - 1) * error
    return Interval(float(mean), float(mean - half), float(mean + half))


def resampled_interval(score, sizes, level=0.95, replicates=200, seed=0):
    """Of a score that is a function of whole sets of rows: the bootstrap, centred.

    In each replicate every set is drawn anew from itself, with replacement, and the score s* is
    computed. Fewer different rows raise a distance (a Fréchet distance by about as much again
    as it is too high already), so the quantiles of s* lie above the score s and may not even
    hold it. Hence the spread is taken about the median of s*:

        low = s - (q_high - median), high = s + (median - q_low)

    The interval is of the score to be expected at these numbers of rows, whose own excess
    over that of infinitely many rows stays in it. Near 0, where a distance's spread is that of
    its square, it is too wide rather than too narrow, and `low` may be below 0.

    Args:
        score: Function of one array of counts per set, (n_i,) integers with the sum n_i: how
            often each row is in the replicate. It returns a float. Example:
            functools.partial(frechet.frechet_distance, real, generated).
        sizes: The sets' numbers of rows n_i.
        level: Of confidence, in (0, 1).
        replicates: How often the score is computed, once more included for s itself; some 200
            for a level of 0.95, more for a higher one.
        seed: Integer that all draws follow from.

    Returns:
        An Interval around s.

    Raises:
        ValueError: an invalid level, or too few replicates to have its quantiles.
    """
    _check_level(level)
    if replicates * (1 - level) < 2:
        raise ValueError(
            f"replicates must be at least {int(np.ceil(2 / (1 - level)))}"
            f" for the level {level}, not {replicates}"
        )
    generator = np.random.default_rng([random_streams.BOOTSTRAP, seed])
    estimate = score(*(np.ones(size, np.int64) for size in sizes))
    drawn = np.array([score(*_redrawn(generator, sizes)) for _ in range(replicates)])
    q_low, median, q_high = np.quantile(drawn, [(1 - level) / 2, 0.5, (1 + level) / 2])
    return Interval(
        float(estimate), float(estimate - (q_high - median)), float(estimate + (median - q_low))
    )


def _redrawn(generator, sizes):
    """How often each row comes up in as many draws as there are rows, for every set."""
    return [np.bincount(generator.integers(size, size=size), minlength=size) for size in sizes]


def _check_level(level):
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}")
