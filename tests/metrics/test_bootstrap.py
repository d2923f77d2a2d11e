"""Intervals against normal theory, Wilson's formula, and the bootstrap's exact variance."""

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gan_keras.metrics import bootstrap, frechet


def test_mean_by_hand():
    """s^2 = 5/3; Student's 0.975 quantile with 3 degrees of freedom is 3.1824463 (any table)."""
    half = 3.1824463052842638 * np.sqrt(5 / 3 / 4)
    found = bootstrap.mean_interval(np.array([1.0, 2, 3, 4]))
    assert_allclose(found, (2.5, 2.5 - half, 2.5 + half), rtol=1e-9)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_mean_covers_as_often_as_it_says(level):
    """Exact for Gaussian values: the number of hits is binomial."""
    values = np.random.default_rng(0).normal(3, 2, (1000, 8))
    intervals = [bootstrap.mean_interval(row, level) for row in values]
    hits = np.mean([interval.low <= 3 <= interval.high for interval in intervals])
    # Four standard deviations of the binomial law.
    assert abs(hits - level) < 4 * np.sqrt(level * (1 - level) / 1000)


def test_mean_moves_with_the_values():
    values = np.random.default_rng(0).standard_normal(20)
    found = bootstrap.mean_interval(-3 * values + 5)
    estimate, low, high = bootstrap.mean_interval(values)
    assert_allclose(found, (-3 * estimate + 5, -3 * high + 5, -3 * low + 5), rtol=1e-12)


def test_shares_are_wilson_s():
    """(p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n), z = 1.959964."""
    p, n, z = 0.3, 10, 1.959963984540054
    root = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    expected = [(p + z**2 / (2 * n) + sign * root) / (1 + z**2 / n) for sign in (-1, 1)]
    assert_allclose(bootstrap.mean_interval(np.arange(n) < 3), (p, *expected), rtol=1e-12)
    # Where all agree, the plain formula would be sure.
    assert_allclose(bootstrap.mean_interval(np.ones(n, bool)), (1, n / (n + z**2), 1), rtol=1e-12)


def mean_score(values, counts):
    return counts @ values / counts.sum()


def test_resampled_mean_is_normal():
    """A resampled mean has exactly the variance mean((x - m)^2) / n."""
    values, replicates = np.random.default_rng(0).standard_normal(400) + 7, 4000
    found = bootstrap.resampled_interval(
        functools.partial(mean_score, values), (400,), replicates=replicates
    )
    deviation = values.std() / 20
    # An empirical quantile's standard deviation is sqrt(p (1 - p) / replicates) / density; the
    # density at +-1.96 is 0.0584 / deviation, at the median 0.399 / deviation. Five of the sum.
    margin = (
        5
        * deviation
        * np.hypot(np.sqrt(0.025 * 0.975 / replicates) / 0.0584, np.sqrt(0.25 / replicates) / 0.399)
    )
    assert found.estimate == mean_score(values, np.ones(400))
    assert abs(found.low - (values.mean() - 1.96 * deviation)) < margin
    assert abs(found.high - (values.mean() + 1.96 * deviation)) < margin


def test_the_counts_are_draws_with_replacement():
    seen = []
    bootstrap.resampled_interval(
        lambda *counts: seen.append(counts) or 0.0, (5, 8), replicates=50, seed=1
    )
    assert len(seen) == 51
    assert [counts.tolist() for counts in seen[0]] == [[1] * 5, [1] * 8]
    for one, other in seen:
        assert (one.shape, one.sum(), other.shape, other.sum()) == ((5,), 5, (8,), 8)
    # One expects 50 per row; sqrt(50 * 5 * (1/5) (4/5)) = 6.3 is the standard deviation.
    assert np.abs(np.sum([one for one, _ in seen[1:]], axis=0) - 50).max() < 5 * 6.3


def test_a_distance_is_in_its_interval_though_resampling_raises_it():
    generator = np.random.default_rng(0)
    real, generated = generator.standard_normal((2, 60, 10))
    score, drawn = functools.partial(frechet.frechet_distance, real, generated), []

    def watched(*counts):
        drawn.append(score(*counts))
        return drawn[-1]

    found = bootstrap.resampled_interval(watched, (60, 60), replicates=100)
    assert found.estimate == drawn[0]
    # A percentile interval would not hold what it is of.
    assert np.quantile(drawn[1:], 0.025) > found.estimate
    assert found.low < found.estimate < found.high
    q_low, median, q_high = np.quantile(drawn[1:], [0.025, 0.5, 0.975])
    assert_allclose(found.estimate - found.low, q_high - median, rtol=1e-12)
    assert_allclose(found.high - found.estimate, median - q_low, rtol=1e-12)


def test_resampling_follows_from_the_seed_and_moves_with_the_score():
    values = np.random.default_rng(0).exponential(size=30)

    def interval(seed, scale=1, shift=0):
        return bootstrap.resampled_interval(
            lambda counts: scale * mean_score(values, counts) + shift, (30,), seed=seed
        )

    first = interval(1)
    assert first == interval(1) != interval(2)
    assert_allclose(interval(1, 2, 5), 2 * np.array(first) + 5, rtol=1e-12)
    estimate, low, high = first
    assert_allclose(interval(1, -1), (-estimate, -high, -low), rtol=1e-12)


def test_what_is_refused():
    for values in (np.ones(1), np.ones((2, 2)), np.arange(4)):
        with pytest.raises(ValueError, match="values must be float or bool"):
            bootstrap.mean_interval(values)
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match="level must be between 0 and 1"):
            bootstrap.mean_interval(np.ones(3), level)
    with pytest.raises(ValueError, match=r"at least 200 for the level 0\.99, not 100"):
        bootstrap.resampled_interval(lambda counts: 0.0, (3,), level=0.99, replicates=100)
