"""The Fréchet distance against closed forms and against scipy's matrix square root."""

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras.metrics import frechet


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def covariance(generator, width):
    root = generator.standard_normal((width, width))
    return root @ root.T


def test_statistics_are_numpy_s(generator):
    features = generator.standard_normal((50, 4)).astype(np.float32)
    mean, spread = frechet.statistics(features)
    assert mean.dtype == spread.dtype == np.float64
    assert_allclose(mean, features.astype(np.float64).mean(axis=0), rtol=1e-12)
    assert_allclose(spread, np.cov(features.astype(np.float64), rowvar=False), rtol=1e-12)


def test_counts_are_repeated_rows(generator):
    features, counts = generator.standard_normal((6, 3)), np.array([0, 3, 1, 0, 2, 1])
    repeated = frechet.statistics(np.repeat(features, counts, axis=0))
    for counted, written_out in zip(frechet.statistics(features, counts), repeated, strict=True):
        assert_allclose(counted, written_out, rtol=1e-12, atol=1e-14)


def test_one_feature():
    """(m1 - m2)^2 + (s1 - s2)^2."""
    value = frechet.distance([1.0], [[4.0]], [3.0], [[25.0]])
    assert_allclose(value, (1 - 3) ** 2 + (2 - 5) ** 2, rtol=1e-14)


def test_commuting_covariances(generator):
    """Of one set of axes: |m1 - m2|^2 + sum (sqrt a - sqrt b)^2, over variances a and b."""
    axes, _ = np.linalg.qr(generator.standard_normal((5, 5)))
    a, b = np.array([0.5, 1, 2, 0, 9.0]), np.array([4, 1, 0, 0, 2.0])
    mean = generator.standard_normal((2, 5))
    expected = np.sum((mean[0] - mean[1]) ** 2) + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    for turn in (np.eye(5), axes):
        value = frechet.distance(mean[0], (turn * a) @ turn.T, mean[1], (turn * b) @ turn.T)
        assert_allclose(value, expected, rtol=1e-13)


@pytest.mark.parametrize("width", [2, 10, 40])
def test_full_rank_against_sqrtm(generator, width):
    one, other = covariance(generator, width), covariance(generator, width)
    mean = generator.standard_normal((2, width))
    root = scipy.linalg.sqrtm(one @ other)
    expected = np.sum((mean[0] - mean[1]) ** 2) + np.trace(one + other - 2 * root.real)
    assert_allclose(frechet.distance(mean[0], one, mean[1], other), expected, rtol=1e-9)
    assert_allclose(frechet.distance(mean[1], other, mean[0], one), expected, rtol=1e-9)


def test_singular_covariances(generator):
    """Of v v^T and C: the root's trace is sqrt(v^T C v); of v v^T and w w^T it is |v.w|."""
    v, w = generator.standard_normal((2, 30))
    full, zero = covariance(generator, 30), np.zeros(30)
    one, other = np.outer(v, v), np.outer(w, w)
    assert_allclose(
        frechet.distance(zero, one, zero, full),
        v @ v + np.trace(full) - 2 * np.sqrt(v @ full @ v),
        rtol=1e-12,
    )
    assert_allclose(
        frechet.distance(zero, one, zero, other), v @ v + w @ w - 2 * abs(v @ w), rtol=1e-12
    )
    assert_allclose(frechet.distance(zero, 0 * full, zero, full), np.trace(full), rtol=1e-14)


def test_dead_features_change_nothing(generator):
    real, generated = generator.standard_normal((100, 8)), generator.standard_normal((90, 8)) + 1
    dead = [np.insert(rows, [0, 3, 8], 0.25, axis=1) for rows in (real, generated)]
    assert_allclose(
        frechet.frechet_distance(*dead), frechet.frechet_distance(real, generated), rtol=1e-12
    )


def test_fewer_rows_than_features(generator):
    real = generator.standard_normal((10, 60))
    assert_allclose(frechet.frechet_distance(real, real[::-1]), 0, atol=1e-11)
    assert_allclose(frechet.frechet_distance(real, real + 2), 60 * 4, rtol=1e-12)
    # Scaling by 3 keeps the axes: the standard deviations differ by twice their own size.
    scaled = (real - real.mean(axis=0)) * 3 + real.mean(axis=0)
    expected = 4 * np.trace(np.cov(real, rowvar=False))
    assert_allclose(frechet.frechet_distance(real, scaled), expected, rtol=1e-12)


def test_counts_reach_both_sets(generator):
    real, generated = generator.standard_normal((2, 20, 3))
    counts = generator.multinomial(20, np.full(20, 1 / 20), size=2)
    written_out = [
        np.repeat(rows, times, axis=0)
        for rows, times in zip((real, generated), counts, strict=True)
    ]
    assert_allclose(
        frechet.frechet_distance(real, generated, *counts),
        frechet.frechet_distance(*written_out),
        rtol=1e-12,
    )


def test_inputs_are_left_alone(generator):
    real, generated = generator.standard_normal((2, 20, 3))
    before = real.copy(), generated.copy()
    frechet.frechet_distance(real, generated)
    assert_array_equal((real, generated), before)


def test_what_is_refused(generator):
    real = generator.standard_normal((10, 3))
    with pytest.raises(ValueError, match="must be equally wide, not 3 and 2"):
        frechet.frechet_distance(real, real[:, :2])
    with pytest.raises(ValueError, match="at least 2 rows, not 1"):
        frechet.statistics(real[:1])
    for counts in (np.ones(9), np.eye(10)[0], -np.ones(10)):
        with pytest.raises(ValueError, match="counts must be"):
            frechet.statistics(real, counts)
    mean, spread = frechet.statistics(real)
    with pytest.raises(ValueError, match="of one width"):
        frechet.distance(mean, spread, mean, spread[:2, :2])
    with pytest.raises(ValueError, match="of one width"):
        frechet.distance(mean, spread, mean[:1], spread)
