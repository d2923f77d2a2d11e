"""The kernel distance against a double loop, and its unbiasedness by enumeration."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gan_keras.metrics import distances, kid


def kernel(x, y):
    return (np.dot(x, y) / len(x) + 1) ** 3


def mean_of_pairs(one, other):
    return np.mean([kernel(x, y) for x in one for y in other])


def by_loops(real, generated):
    def within(rows):
        pairs = itertools.permutations(range(len(rows)), 2)
        return np.mean([kernel(rows[i], rows[j]) for i, j in pairs])

    return within(real) + within(generated) - 2 * mean_of_pairs(real, generated)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.mark.parametrize("block_bytes", [1, 200, 2**25])
def test_against_a_double_loop(generator, monkeypatch, block_bytes):
    monkeypatch.setattr(distances, "BLOCK_BYTES", block_bytes)
    real = generator.standard_normal((11, 4)).astype(np.float32)
    generated = generator.standard_normal((7, 4)).astype(np.float32) + 1
    expected = by_loops(real.astype(np.float64), generated.astype(np.float64))
    assert_allclose(kid.kernel_distance(real, generated), expected, rtol=1e-12)


def test_zero_on_average_if_nothing_differs(generator):
    """All ways to deal seven rows to two sets: every pair is as often within as across."""
    rows = generator.standard_normal((7, 3))
    estimates = []
    for hand in itertools.combinations(range(7), 4):
        chosen = np.isin(np.arange(7), hand)
        estimates.append(kid.kernel_distance(rows[chosen], rows[~chosen]))
    assert_allclose(np.mean(estimates), 0, atol=1e-12)
    assert min(estimates) < -0.1 < 0.1 < max(estimates)


def test_the_population_s_value_on_average(generator):
    """All samples with replacement, of 3 rows from three values and of 2 rows from two."""
    one, other = generator.standard_normal((3, 2)), generator.standard_normal((2, 2)) + 1
    population = mean_of_pairs(one, one) + mean_of_pairs(other, other)
    population -= 2 * mean_of_pairs(one, other)
    estimates = [
        kid.kernel_distance(one[list(first)], other[list(second)])
        for first in itertools.product(range(3), repeat=3)
        for second in itertools.product(range(2), repeat=2)
    ]
    assert_allclose(np.mean(estimates), population, rtol=1e-12)


def test_blocks_share_no_row(generator, monkeypatch):
    real, generated = generator.standard_normal((23, 1)), generator.standard_normal((34, 1))
    seen = []
    monkeypatch.setattr(kid, "kernel_distance", lambda *pair: seen.append(pair) or len(seen))
    assert kid.block_estimates(real, generated, seed=3, block=5).tolist() == [1, 2, 3, 4]
    for which, rows in enumerate((real, generated)):
        used = np.concatenate([pair[which] for pair in seen])
        assert used.shape == (20, 1)
        assert len(np.unique(used)) == 20
        assert np.isin(used, rows).all()
        # Rows that come sorted by class must not stay so.
        assert not np.array_equal(used, rows[:20])


def test_blocks_follow_from_the_seed(generator):
    real, generated = generator.standard_normal((2, 20, 3))
    first, again, other = (
        kid.block_estimates(real, generated, seed, block=10) for seed in (1, 1, 2)
    )
    assert first.shape == (2,)
    assert first.tolist() == again.tolist() != other.tolist()


def test_what_is_refused(generator):
    rows = generator.standard_normal((20, 3))
    with pytest.raises(ValueError, match="generated must have at least 2 rows, not 1"):
        kid.kernel_distance(rows, rows[:1])
    with pytest.raises(ValueError, match="real must have at least 2000 rows, not 20"):
        kid.block_estimates(rows, rows)
    with pytest.raises(ValueError, match="block must be at least 2, not 1"):
        kid.block_estimates(rows, rows, block=1)
