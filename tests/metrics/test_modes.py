"""Modes by hand, and the histogram's JSD by closed forms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import jensenshannon
from scipy.stats import binom, chi2

from gan_keras.metrics import distances, modes

CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
# Exactly on a centre; on the circle of 3 sigma; just outside; within 3 sigma of two centres but
# nearer to the second; halfway between the first two; far away.
POINTS = np.array([[0, 0], [4, 3], [4, 3.01], [2.5, 0], [2, 0], [50, 49.0]])


def test_by_hand(monkeypatch):
    for block_bytes in (1, 2**25):
        monkeypatch.setattr(distances, "BLOCK_BYTES", block_bytes)
        assert modes.assign(POINTS, CENTRES).tolist() == [0, 1, 1, 1, 0, 1]
        good = modes.high_quality(POINTS, CENTRES, sigma=1.0)
        assert good.tolist() == [True, True, False, True, True, False]
    assert modes.modes_covered(POINTS, CENTRES, sigma=1.0) == 2


def test_a_mode_is_covered_by_its_own_points_only():
    """(2.5, 0) is within 3 sigma of the first centre too, and does not count for it."""
    assert modes.modes_covered(POINTS[3:4], CENTRES, sigma=1.0) == 1
    assert modes.modes_covered(POINTS[[2, 5]], CENTRES, sigma=1.0) == 0
    assert modes.modes_covered(CENTRES.astype(np.float32), CENTRES, sigma=1e-9) == 3


def test_the_radius_can_be_chosen():
    assert modes.high_quality(POINTS, CENTRES, 1.0, deviations=3.1).sum() == 5
    assert modes.modes_covered(POINTS[2:3], CENTRES, 1.0, deviations=3.1) == 1


def test_the_mixture_s_own_share():
    """P(chi^2_2 <= 9) = 1 - exp(-4.5), which the docstring gives, as it does where 3 is few."""
    generator = np.random.default_rng(0)
    points = CENTRES[generator.integers(3, size=20_000)] * 10
    points += generator.normal(0, 0.5, points.shape)
    share = 1 - np.exp(-4.5)
    # Four standard deviations of the binomial law.
    margin = 4 * np.sqrt(share * (1 - share) / 20_000)
    assert abs(modes.high_quality(points, CENTRES * 10, 0.5).mean() - share) < margin
    assert chi2.cdf(9, 22) < 0.01 < chi2.cdf(9, 21)


def test_jsd_by_closed_forms():
    """p = (1, 0), q = (1/2, 1/2): m = (3/4, 1/4), so 3/4 log(4/3)."""
    assert_allclose(modes.histogram_jsd([7, 0], [0.5, 0.5]), 0.75 * np.log(4 / 3), rtol=1e-14)
    assert modes.histogram_jsd([3, 6, 1], [0.3, 0.6, 0.1]) == 0
    assert_allclose(modes.histogram_jsd([4, 4, 0, 0], [0, 0, 0.5, 0.5]), np.log(2), rtol=1e-14)


def test_jsd_against_scipy_in_any_shape():
    generator = np.random.default_rng(0)
    counts, masses = generator.poisson(3, (6, 5)), generator.dirichlet(np.ones(30)).reshape(6, 5)
    expected = jensenshannon(counts.ravel() / counts.sum(), masses.ravel()) ** 2
    assert_allclose(modes.histogram_jsd(counts, masses), expected, rtol=1e-12)


@pytest.mark.parametrize("truth", [0.3, 0.6])
def test_the_bias_that_the_docstring_states(truth):
    """The exact expectation over the binomial law of two cells, of density (0.3, 0.7).

    The expansion's next order is 1 / n^2: ten times the points, a hundred times less.
    """
    errors = []
    for n in (200, 2000):
        heads = np.arange(n + 1)
        found = [modes.histogram_jsd([k, n - k], [0.3, 0.7]) for k in heads]
        expected = np.dot(binom.pmf(heads, n, truth), found)
        p, q = np.array([truth, 1 - truth]), np.array([0.3, 0.7])
        exact = jensenshannon(p, q) ** 2
        bias = np.sum(q * (1 - p) / (p + q)) / (4 * n)
        if truth == 0.3:
            assert_allclose(bias, (2 - 1) / (8 * n), rtol=1e-12)
        assert_allclose(expected - exact, bias, rtol=2 / n)
        errors.append(abs(expected - exact - bias))
    assert_allclose(errors[0] / errors[1], 100, rtol=0.1)


def test_what_is_refused():
    with pytest.raises(ValueError, match="points and centres must be equally wide, not 2 and 1"):
        modes.assign(POINTS, CENTRES[:, :1])
    for arguments in ((0.0,), (np.nan,), (1.0, 0.0)):
        with pytest.raises(ValueError, match="sigma and deviations must be above 0"):
            modes.modes_covered(POINTS, CENTRES, *arguments)
    for counts in ([0, 0], [2, -1], [0.5, 0.5]):
        with pytest.raises(ValueError, match="counts must be integers >= 0"):
            modes.histogram_jsd(counts, [0.5, 0.5])
    for masses in ([0.5, 0.4], [1.5, -0.5], [np.nan, 1]):
        with pytest.raises(ValueError, match="masses must be >= 0 with the sum 1"):
            modes.histogram_jsd([1, 1], masses)
    with pytest.raises(ValueError, match=r"counts \(2,\) and masses \(3,\)"):
        modes.histogram_jsd([1, 1], [0.5, 0.25, 0.25])


def test_kl_of_a_histogram():
    assert modes.histogram_kl([5, 5, 0], [0.25, 0.25, 0.5]) == pytest.approx(np.log(2))
    assert modes.histogram_kl([1, 1, 2], [0.25, 0.25, 0.5]) == 0
    # One cell of many: log of the inverse of its mass, with no bound.
    assert modes.histogram_kl([9, 0], [1e-9, 1 - 1e-9]) == pytest.approx(9 * np.log(10))
    with pytest.raises(ValueError, match="above 0"):
        modes.histogram_kl([1, 1], [0.0, 1.0])
    with pytest.raises(ValueError, match="of one shape"):
        modes.histogram_kl([1, 1], [1.0])
