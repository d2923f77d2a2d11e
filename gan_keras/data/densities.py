"""Data sets whose density is known: mixtures of Gaussians on a line and in the plane.

Nothing is stored: every batch is a fresh draw, so that p_data is the density itself and not a
sample of it.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy import special

from gan_keras.config import random_streams
from gan_keras.data import order, pipeline


@dataclass(frozen=True)
class Mixture:
    """Gaussians with equal variance in all directions, of which each point comes from one.

    Attributes:
        weights: (k,) probabilities of the Gaussians.
        centres: (k, length) their means.
        sigmas: (k,) their standard deviations.
        window: (low, high), the same for every axis: what a picture shows. All but a
            millionth of the mass lies in it.
    """

    weights: np.ndarray
    centres: np.ndarray
    sigmas: np.ndarray
    window: tuple

    @property
    def length(self):
        """Numbers in one point."""
        return self.centres.shape[1]

    def draw(self, count, seed):
        """Draws points: a pure function of its arguments.

        Args:
            count: Number of points.
            seed: Two integers, as of `tf.random.stateless_normal`.

        Returns:
            float32 tensor (count, length).
        """
        # Two streams of one seed: which Gaussian, and where in it.
        which, where = tf.unstack(tf.random.split(seed))
        uniform = tf.random.stateless_uniform((count,), which)
        ends = tf.constant(np.cumsum(self.weights)[:-1], tf.float32)
        chosen = tf.searchsorted(ends, uniform, side="right")
        normal = tf.random.stateless_normal((count, self.length), where)
        sigmas = tf.gather(tf.constant(self.sigmas, tf.float32), chosen)
        return tf.gather(tf.constant(self.centres, tf.float32), chosen) + sigmas[:, None] * normal

    def density(self, points):
        """p_data(x) = sum_k w_k N(x; c_k, s_k^2).

        Args:
            points: (..., length).

        Returns:
            (...), per unit of length or area.
        """
        points = np.asarray(points, np.float64)[..., None, :]
        squares = np.sum((points - self.centres) ** 2, axis=-1) / self.sigmas**2
        normalizers = (2 * np.pi * self.sigmas**2) ** (self.length / 2)
        return np.sum(self.weights * np.exp(-squares / 2) / normalizers, axis=-1)

    def masses(self, edges):
        """Returns the probability of each cell of a grid, exactly.

        Args:
            edges: (n + 1,) where the cells of every axis begin and end, ascending.

        Returns:
            (n,) on a line, (n, n) in the plane with the first coordinate along the first axis.
        """
        scaled = (edges - self.centres[..., None]) / self.sigmas[:, None, None]
        sides = np.diff(special.ndtr(scaled))  # (k, length, n)
        if self.length == 1:
            return self.weights @ sides[:, 0]
        return np.einsum("k,ki,kj->ij", self.weights, sides[:, 0], sides[:, 1])


def _equal(centres, sigma, window):
    count = len(centres)
    return Mixture(np.full(count, 1 / count), np.asarray(centres), np.full(count, sigma), window)


def _ring(count=8, radius=2.0):
    angles = 2 * np.pi * np.arange(count) / count
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _equal(centres, 0.02 * radius, (-3.0, 3.0))


def _grid():
    line = np.linspace(-4.0, 4.0, 5)
    centres = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    return _equal(centres, 0.05, (-5.0, 5.0))


DENSITIES = {  # As `config.DENSITIES`, which may not import numpy.
    # Two hills that overlap: a continuous G can reach p_data, where a gap would need a jump.
    "gaussians_1d": Mixture(
        np.array([0.6, 0.4]), np.array([[-1.0], [1.0]]), np.array([0.5, 0.35]), (-4.0, 4.0)
    ),
    "ring": _ring(),
    "grid": _grid(),
}


@dataclass(frozen=True)
class Points:
    """An endless stream of draws from a known density; where `Images` are, so can these be."""

    name: str

    @property
    def density(self):
        """The Mixture that the points are drawn from."""
        return DENSITIES[self.name]

    @property
    def scale(self):
        """What is 1 to the networks: the standard deviation of a coordinate, over all of them."""
        density = self.density
        second = density.weights @ (density.centres**2 + density.sigmas[:, None] ** 2)
        return float(np.sqrt(np.mean(second - (density.weights @ density.centres) ** 2)))

    @property
    def shape(self):
        """(length,)."""
        return (self.density.length,)

    def batches(self, batch_size, seed, start=0, per_step=1, share=order.WHOLE):
        """As `Images.batches`: what step s gets depends on (seed, s) alone.

        Returns:
            A tf.data.Dataset of float32 (batch_size, length) in units of `scale`, or of tuples
            of `per_step`.
        """
        scale = self.scale
        worker, workers, replicas = share
        rows = batch_size // (workers * replicas)

        def draw(element):
            step, first = element // replicas, (worker * replicas + element % replicas) * rows
            seeds = [(random_streams.DENSITY + seed, step * per_step + i) for i in range(per_step)]
            batches = [self.density.draw(batch_size, pair) / scale for pair in seeds]
            batches = tuple(tf.ensure_shape(b[first:][:rows], [rows, *self.shape]) for b in batches)
            return batches if per_step > 1 else batches[0]

        return pipeline.endless(tf.data.Dataset.counter(start * replicas).map(draw))

    def sample(self, count, seed=0):
        """Returns float32 (count, length) that no training step sees."""
        return self.density.draw(count, (random_streams.DENSITY_SAMPLE + seed, 0)).numpy()

    def describe(self):
        """Returns what the data are, in a line."""
        gaussians = f"{len(self.density.weights)} Gaussians in {self.density.length}-D"
        return f"{self.name}, fresh draws from {gaussians}"
