"""The Parzen window against two libraries, its integral, and distances by differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import gaussian_kde
from sklearn.neighbors import KernelDensity

from gan_keras.errors import UserError
from gan_keras.metrics import distances, parzen


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.mark.parametrize("block_bytes", [1, 40 * 8 * 3, 2**25])
def test_against_scikit_learn(generator, monkeypatch, block_bytes):
    monkeypatch.setattr(distances, "BLOCK_BYTES", block_bytes)
    samples = generator.standard_normal((40, 3)).astype(np.float32)
    points = generator.standard_normal((11, 3)).astype(np.float32)
    reference = KernelDensity(bandwidth=0.4).fit(samples.astype(np.float64))
    expected = reference.score_samples(points.astype(np.float64))
    assert_allclose(parzen.log_likelihood(samples, points, 0.4), expected, rtol=1e-10)


def test_against_scipy(generator):
    samples, points = generator.standard_normal((40, 1)), generator.standard_normal((11, 1))
    # Its bandwidth is in units of the samples' standard deviation.
    reference = gaussian_kde(samples.T, bw_method=0.4 / samples.std(ddof=1))
    expected = reference.logpdf(points.T)
    assert_allclose(parzen.log_likelihood(samples, points, 0.4), expected, rtol=1e-10)


def test_it_is_a_density():
    samples, x = np.array([[0.0], [0.3], [2.0]]), np.arange(-5, 7, 0.01)[:, np.newaxis]
    total = 0.01 * np.exp(parzen.log_likelihood(samples, x, 0.25)).sum()
    assert_allclose(total, 1, rtol=1e-10)


def test_far_tails_are_finite():
    """exp(-5e11) is 0 in any float; its logarithm is not -inf."""
    samples, points = np.array([[0.0, 0.0], [-3e5, 4e5]]), np.array([[1e5, 0.0], [0.0, 0.0]])
    expected = -np.log(2) - np.log(2 * np.pi * 0.01) - np.array([1e10, 0]) / (2 * 0.01)
    assert_allclose(parzen.log_likelihood(samples, points, 0.1), expected, rtol=1e-14)


@pytest.mark.parametrize("sigma", [0.05, 0.1, 1.0])
def test_cancellation_stays_below_a_billionth_of_a_nat(generator, sigma):
    """784 pixels, points that copy a sample, that nearly do, and that do not."""
    samples = generator.random((200, 784)) * (generator.random((200, 784)) < 0.3)
    near = samples[:20] + generator.normal(0, 1e-4, (20, 784))
    points = np.concatenate([samples[:20], near, generator.random((20, 784))])
    squares = cdist(points, samples, "sqeuclidean")
    expected = logsumexp(-squares / (2 * sigma**2), axis=1) - np.log(200)
    expected -= 784 / 2 * np.log(2 * np.pi * sigma**2)
    found = parzen.log_likelihood(samples, points, sigma)
    # The nats are some 1e5, whose own last digit is 1e-11.
    assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_the_best_sigma_is_the_grid_s_nearest_to_the_closed_form():
    """Of one sample at 0: d log L / d sigma = 0 at sigma^2 = mean |v|^2 / d."""
    sample, validation = np.zeros((1, 2)), np.array([[0.3, 0.0], [0.0, -0.5], [0.3, 0.4]])
    best = np.sqrt(np.mean([0.09, 0.25, 0.25]) / 2)
    choice = parzen.choose_sigma(sample, validation, best * np.array([0.5, 1, 2]))
    assert (choice.sigma, choice.widened) == (best, 0)
    assert_allclose(choice.sigmas, best * np.array([0.5, 1, 2]))
    assert_allclose(
        choice.log_likelihoods,
        [parzen.log_likelihood(sample, validation, s).mean() for s in choice.sigmas],
        rtol=1e-13,
    )


@pytest.mark.parametrize(
    ("asked", "found", "added"),
    [((2, 4, 8), (0.5, 1, 2, 4, 8), 2), ((0.1, 0.2, 0.4), (0.1, 0.2, 0.4, 0.8, 1.6), 2)],
)
def test_the_grid_grows_on_the_side_of_the_best(asked, found, added):
    """The best is 1; what lies next to it on the other side is needed to know."""
    sample, validation = np.zeros((1, 1)), np.array([[1.0], [-1.0]])
    choice = parzen.choose_sigma(sample, validation, asked)
    assert_allclose(choice.sigmas, found)
    assert_allclose(choice.sigma, found[1] if asked[0] == 2 else 0.8)
    assert choice.widened == added
    with pytest.raises(UserError, match="at the edge"):
        parzen.choose_sigma(sample, validation, asked, widenings=added - 1)


def test_copies_of_the_validation_points_have_no_best_sigma(generator):
    samples = generator.random((5, 2))
    with pytest.raises(UserError, match=r"sigma: the best of 0\.01 to 1 is 0\.01, at the edge"):
        parzen.choose_sigma(samples, samples)


def test_distances_are_computed_once(generator, monkeypatch):
    calls, blocks = [], distances.blocks

    def counted(*arguments):
        calls.append(arguments)
        return blocks(*arguments)

    monkeypatch.setattr(distances, "blocks", counted)
    samples, validation = generator.standard_normal((20, 2)), generator.standard_normal((10, 2))
    choice = parzen.choose_sigma(samples, validation, (0.01, 0.02), widenings=10)
    assert choice.widened > 1
    assert len(calls) == 1


def test_what_is_refused(generator):
    rows = generator.random((5, 2))
    with pytest.raises(ValueError, match="samples and points must be equally wide, not 2 and 1"):
        parzen.log_likelihood(rows, rows[:, :1], 0.1)
    for sigma in (0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="sigma must be finite and above 0"):
            parzen.log_likelihood(rows, rows, sigma)
    for sigmas in ([0.1], [0.2, 0.1], [0.1, 0.1], [[0.1, 0.2]]):
        with pytest.raises(ValueError, match="sigmas must be two or more, ascending"):
            parzen.choose_sigma(rows, rows, sigmas)
    with pytest.raises(ValueError, match="above 0"):
        parzen.choose_sigma(rows, rows, [0, 0.1])
