"""Scores on known densities: against numpy's histograms, closed forms and perfect samples."""

import numpy as np
import pytest
from scipy import stats

from gan_keras import data
from gan_keras.config import config as configs
from gan_keras.evaluation import point_scores
from gan_keras.metrics import modes


def points(name):
    return data.load(configs.from_preset(name))


@pytest.mark.parametrize("name", configs.DENSITIES)
def test_the_histogram_is_numpys(name):
    density = points(name).density
    samples = 1.3 * points(name).sample(5000, seed=1)
    samples[:3] = np.array([[density.window[1]], [density.window[0]], [9.0]])
    borders = point_scores.edges(density)
    counts = np.histogramdd(samples, [borders] * density.length)[0]
    cells, masses = point_scores.histogram(density, samples)
    found = np.bincount(cells, minlength=len(masses))
    np.testing.assert_array_equal(found[:-1], counts.ravel())
    assert found[-1] == 5000 - counts.sum() > 0
    np.testing.assert_allclose(masses[:-1], density.masses(borders).ravel())
    assert masses.sum() == pytest.approx(1)


def test_jsd_counts_what_is_outside_and_what_diverged():
    density = points("ring").density
    for lost in (np.full((100, 2), 99.0), np.full((100, 2), np.nan), np.full((100, 2), np.inf)):
        found = point_scores.jsd(density, lost.astype(np.float32))
        assert found == pytest.approx(np.log(2), abs=1e-5)
    # Of a perfect sample: (cells - 1) / (8 n), with the cells that the mass is in: within four
    # sigma of the centres, 8 * 8^2 cells, some more for what is further.
    perfect = points("ring").sample(10_000, seed=1)
    assert point_scores.jsd(density, perfect) < 2 * 8 * 64 / (8 * 10_000)


def test_cells_of_the_plane_are_as_wide_as_a_gaussian():
    for name in ("ring", "grid"):
        cell = np.diff(point_scores.edges(points(name).density))[0]
        assert cell == pytest.approx(points(name).density.sigmas[0], rel=0.05)


@pytest.mark.parametrize("name", configs.DENSITIES)
def test_the_best_share_is_that_of_the_density_itself(name):
    """By a million draws: five deviations of a share are below 5 * 0.5 / 1000."""
    density = points(name).density
    draws = points(name).sample(1_000_000, seed=5)
    share = modes.high_quality(draws, density.centres, density.sigmas.max()).mean()
    best = point_scores.share_of_high_quality(density)
    assert best == pytest.approx(share, abs=5 * np.sqrt(best * (1 - best)) / 1000 + 1e-9)


def test_the_line_gets_its_jsd_and_both_modes():
    """Samples of another Gaussian: the JSD by an integral; cells hide next to nothing of it."""
    scores = point_scores.PointScores(configs.from_preset("gaussians_1d"), seed=0)
    samples = stats.norm(-0.4, 1).ppf((np.arange(20_000) + 0.5) / 20_000)[:, None]
    found = {**scores.compute("jsd", samples), **scores.compute("modes", samples)}
    x = np.linspace(-8, 8, 16_001)
    p, q = scores.points.density.density(x[:, None]), stats.norm(-0.4, 1).pdf(x)
    half = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.nan_to_num(p * np.log(p / half)) + np.nan_to_num(q * np.log(q / half))
    exact = np.trapezoid(terms, x) / 2
    interval, _, _ = found["jsd"]
    assert interval.estimate == pytest.approx(exact, abs=1e-3)
    assert interval.low < interval.estimate < interval.high
    covered, _, details = found["modes_covered"]
    assert (covered.estimate, details["modes"], details["best"]) == (2, 2, 2)
    assert set(found) == set(scores.METRICS)
