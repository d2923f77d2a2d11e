"""Known densities: draws, densities and cell masses against each other and against scipy."""

import numpy as np
import pytest
from scipy import stats

from gan_keras import data
from gan_keras.config import config
from gan_keras.data import densities

EACH = pytest.mark.parametrize("name", config.DENSITIES)


def test_configuration_and_data_agree():
    assert {name: d.length for name, d in densities.DENSITIES.items()} == config.DENSITIES


def test_ring_and_grid_are_as_published():
    ring, grid = densities.DENSITIES["ring"], densities.DENSITIES["grid"]
    radii = np.linalg.norm(ring.centres, axis=1)
    np.testing.assert_allclose(radii, radii[0])
    np.testing.assert_allclose(ring.sigmas, 0.02 * radii)
    assert len(np.unique(ring.centres.round(9), axis=0)) == 8
    line = [-4, -2, 0, 2, 4]
    expected = {(x, y) for x in line for y in line}
    assert {tuple(centre) for centre in grid.centres} == expected
    np.testing.assert_array_equal(grid.sigmas, np.full(25, 0.05))


@EACH
def test_density_is_that_of_scipy(name):
    mixture = densities.DENSITIES[name]
    points = np.random.default_rng(0).uniform(*mixture.window, (50, mixture.length))
    points = np.concatenate([points, mixture.centres + 0.01])
    expected = sum(
        weight * stats.multivariate_normal(centre, sigma**2).pdf(points)
        for weight, centre, sigma in zip(
            mixture.weights, mixture.centres, mixture.sigmas, strict=True
        )
    )
    np.testing.assert_allclose(mixture.density(points), expected, rtol=1e-9, atol=1e-300)


@EACH
def test_masses_are_integrals_of_the_density(name):
    """Cells a tenth of a sigma wide: the midpoint rule errs by h^2 / 24 of the curvature."""
    mixture = densities.DENSITIES[name]
    centre, sigma = mixture.centres[0], mixture.sigmas[0]
    edges = np.linspace(-1, 1, 21) * sigma
    # The same edges serve every axis: move the mixture so that its first centre is at 0.
    moved = densities.Mixture(
        mixture.weights, mixture.centres - centre, mixture.sigmas, mixture.window
    )
    middle = (edges[1:] + edges[:-1]) / 2
    places = np.stack(np.meshgrid(*[middle] * mixture.length, indexing="ij"), axis=-1)
    expected = moved.density(places) * (edges[1] - edges[0]) ** mixture.length
    np.testing.assert_allclose(moved.masses(edges), expected, rtol=2e-3)


@EACH
def test_the_window_holds_all_but_a_millionth(name):
    mixture = densities.DENSITIES[name]
    assert mixture.masses(np.array(mixture.window)).item() > 1 - 1e-6


@EACH
def test_draws_follow_the_density(name):
    """Each axis by Kolmogorov and Smirnov, at a level of 1e-4 with the seed that is fixed."""
    mixture = densities.DENSITIES[name]
    points = mixture.draw(4000, (3, 0)).numpy()
    assert points.dtype == np.float32
    for axis in range(mixture.length):

        def below(x, axis=axis):
            scaled = (x[:, None] - mixture.centres[:, axis]) / mixture.sigmas
            return stats.norm.cdf(scaled) @ mixture.weights

        assert stats.kstest(points[:, axis], below).pvalue > 1e-4


def test_draws_are_decided_by_seed_and_step():
    points = data.load(config.from_preset("ring"))
    first = [batch.numpy() for batch, _ in zip(points.batches(16, 5), range(4), strict=False)]
    later = next(iter(points.batches(16, 5, start=2))).numpy()
    np.testing.assert_array_equal(later, first[2])
    assert not np.any(first[0] == first[1])
    assert not np.any(first[0] == next(iter(points.batches(16, 6))).numpy())
    pairs = next(iter(points.batches(16, 5, start=1, per_step=2)))
    np.testing.assert_array_equal(pairs[0], first[2])
    np.testing.assert_array_equal(pairs[1], first[3])
    assert not np.isin(points.sample(16), np.concatenate(first) * points.scale).any()


@EACH
def test_networks_get_a_variance_of_one(name):
    """4,000 points: the variance of x^2 is below 2, a standard deviation of 0.023; five of it."""
    points = densities.Points(name)
    batch = next(iter(points.batches(4000, 0))).numpy()
    assert batch.shape == (4000, *points.shape)
    mixture = points.density
    mean = mixture.weights @ mixture.centres / points.scale
    assert np.mean((batch - mean) ** 2) == pytest.approx(1, abs=0.115)


def test_what_is_said_of_them():
    points = data.load(config.from_preset("grid"))
    assert points.describe() == "grid, fresh draws from 25 Gaussians in 2-D"
    assert data.has_test(config.from_preset("grid"))


def test_replicas_share_the_draws_of_a_batch():
    points = data.load(config.from_preset("ring"))
    whole = next(iter(points.batches(8, 5, start=3, per_step=2)))
    for worker in range(2):
        parts = points.batches(8, 5, start=3, per_step=2, share=(worker, 2, 2)).take(2)
        for replica, batches in enumerate(parts):
            first = (worker * 2 + replica) * 2
            for batch, all_rows in zip(batches, whole, strict=True):
                np.testing.assert_array_equal(batch, all_rows[first : first + 2])
