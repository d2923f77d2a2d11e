"""Precision, recall, density and coverage: by hand, naively in integers, and on average."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras.metrics import distances, neighbours


def naive(real, generated, k):
    """All four by the definitions, from integer rows: nothing is rounded."""

    def squares(one, other):
        return np.sum((one[:, np.newaxis] - other) ** 2, axis=-1)

    def inside(centres, points):
        apart = squares(centres, centres)
        others = apart[~np.eye(len(centres), dtype=bool)].reshape(len(centres), -1)
        return squares(points, centres) <= np.sort(others, axis=1)[:, k - 1]

    in_real, in_generated = inside(real, generated), inside(generated, real)
    return (
        in_real.any(axis=1),
        in_generated.any(axis=1),
        in_real.sum(axis=1) / k,
        in_real.any(axis=0),
    )


def all_four(real, generated, k):
    return (
        *neighbours.precision_and_recall(real, generated, k),
        *neighbours.density_and_coverage(real, generated, k),
    )


def column(*values):
    return np.array(values, np.float64)[:, np.newaxis]


def test_by_hand():
    """On a line, k = 1.

    The real balls are [-1, 1], [0, 2], [1, 5] and [-40, 0]; the generated ones [-1, 5], [2, 8],
    [-5, 2] and [5, 19].
    """
    real, generated = column(0, 1, 3, -20), column(2, 5, -1.5, 12)
    precise, recalled = neighbours.precision_and_recall(real, generated, k=1)
    assert precise.tolist() == [True, True, True, False]
    assert recalled.tolist() == [True, True, True, False]
    density, covered = neighbours.density_and_coverage(real, generated, k=1)
    assert density.tolist() == [2, 1, 1, 0]
    assert covered.tolist() == [False, True, True, True]
    # k = 2: the real balls are [-3, 3], [-1, 3], [0, 6] and [-41, 1].
    density, covered = neighbours.density_and_coverage(real, generated, k=2)
    assert density.tolist() == [3 / 2, 1 / 2, 2 / 2, 0]
    assert covered.all()


@pytest.mark.parametrize("width", [3, 20])  # scikit-learn searches them in different ways
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.1, 10.0), (0.25, 2.0**24)])
def test_ties_and_duplicates_against_the_definition(width, k, scale, offset):
    """Small integers tie everywhere; tenths around 10 do so but for rounding.

    Quarters around 2^24 are exact, and their squares are not.
    """
    generator = np.random.default_rng(k)
    few = 6 if width == 3 else 2
    real = generator.integers(0, few, (60, width))
    generated = generator.integers(0, few, (50, width))
    real[:8], generated[:4], generated[4:10] = real[8], real[8], real[9:15]
    generated[30:], real[45:, 0] = generated[30:] * 2, real[45:, 0] + 2 * few
    expected = naive(real, generated, k)
    found = all_four(real * scale + offset, generated * scale + offset, k)
    for value, reference in zip(found, expected, strict=True):
        assert_array_equal(value, reference)
    assert all(0 < np.mean(score) < 1 for score in (expected[0], expected[1], expected[3]))


def test_float32_and_small_blocks(monkeypatch):
    generator = np.random.default_rng(0)
    real, generated = generator.integers(0, 4, (2, 40, 5)).astype(np.float32)
    expected = naive(real.astype(int), generated.astype(int), 3)
    monkeypatch.setattr(distances, "BLOCK_BYTES", 40 * 8 * 7)
    for value, reference in zip(all_four(real, generated, 3), expected, strict=True):
        assert_array_equal(value, reference)


@pytest.mark.parametrize("k", [1, 2])
def test_on_average_if_nothing_differs(k):
    """All ways to deal nine rows to six real and three generated ones.

    Around a real row the other eight stand in random order. Before the k-th real one come
    k m / n generated ones on average, so that the density is 1; none does with probability
    prod (n - j) / (n + m - j).
    """
    rows = np.random.default_rng(0).standard_normal((9, 2))
    densities, coverages = [], []
    for hand in itertools.combinations(range(9), 6):
        chosen = np.isin(np.arange(9), hand)
        density, covered = neighbours.density_and_coverage(rows[chosen], rows[~chosen], k)
        densities.append(density.mean())
        coverages.append(covered.mean())
    assert_allclose(np.mean(densities), 1, rtol=1e-12)
    expected = 1 - np.prod([(6 - j) / (9 - j) for j in range(1, k + 1)])
    assert_allclose(np.mean(coverages), expected, rtol=1e-12)


def test_a_copy_is_inside_and_a_far_set_is_not():
    rows = np.random.default_rng(0).standard_normal((30, 128))
    assert all(np.all(score) for score in neighbours.precision_and_recall(rows, rows.copy()))
    density, covered = neighbours.density_and_coverage(rows, rows.copy(), k=5)
    # Each ball holds its own row and five more.
    assert_allclose(density.mean(), 6 / 5, rtol=1e-12)
    assert covered.all()
    assert not any(np.any(score) for score in all_four(rows, rows + 100, 5))


def test_one_far_row_does_not_blur_the_others():
    """A tolerance of the whole set's size would be 1 here."""
    real, generated = column(0, 1, 2, 3, 1e6), column(-1.001, -1.0, 5.0, 5.1)
    precise, _ = neighbours.precision_and_recall(real[:4], generated, k=1)
    assert precise.tolist() == [False, True, False, False]
    density, _ = neighbours.density_and_coverage(real, generated, k=1)
    # The far row's ball begins at 3 and holds the last two.
    assert density.tolist() == [0, 1, 1, 1]


def test_what_is_refused():
    rows = np.zeros((6, 2))
    for function in (neighbours.precision_and_recall, neighbours.density_and_coverage):
        with pytest.raises(ValueError, match="generated must have at least 7 rows, not 6"):
            function(np.zeros((7, 2)), rows, k=6)
        with pytest.raises(ValueError, match="must be equally wide, not 2 and 1"):
            function(rows, rows[:, :1])
        with pytest.raises(ValueError, match="k must be at least 1, not 0"):
            function(rows, rows, k=0)
