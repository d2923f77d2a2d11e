"""What a known density lets one see: p_g beside p_data, D beside D*, and the true JSD."""

import numpy as np
import tensorflow as tf
from scipy import special

from gan_keras import theory
from gan_keras.drawing import figures
from gan_keras.metrics import modes

# On a line, cells for the histogram; in the plane, cells as wide as a Gaussian is: finer ones
# would be empty by chance, coarser ones hide in which part of a mode the samples are.
LINE_CELLS = 100
MOST_CELLS = 200  # along each axis of the plane
HEAT_CELLS = 80
SHOWN = 1000  # points in the plane; more hide each other and D
ARROWS = 33
# The outermost quantiles of the normal prior that arrows are drawn from.
LEAST_QUANTILE = 0.005


class Density:
    """A picture of the whole game on a density that is known: for `callbacks.Samples`.

    On a line it is figure 1 of Goodfellow et al. 2014; in the plane, real and generated points
    over D. The scalar `jsd` is JSD(p_data || p_g) in nats, by the histogram of the samples.

    Args:
        points: The data, as `data.densities.Points`.
    """

    count = 10_000

    def __init__(self, points):
        self.points = points
        density = points.density
        cells = LINE_CELLS
        low, high = density.window
        if density.length == 2:
            cells = min(MOST_CELLS, round((high - low) / density.sigmas.min()))
        self.edges = np.linspace(low, high, cells + 1)
        self.real = points.sample(SHOWN)

    def draw(self, gan, latents):
        generated = self._generate(gan, latents)
        shares, jsd = self._compare(generated)
        title = f"step {gan.step:,}   JSD {jsd:.3f} nats"
        plot = self._line if self.points.density.length == 1 else self._plane
        return plot(gan, generated, shares, title), {"jsd": jsd}

    def _compare(self, generated):
        """Returns the share of the samples in each cell, and the JSD."""
        density = self.points.density
        axes = [self.edges] * density.length
        # What diverged lies outside of every cell, as what lies outside of the window.
        counts = np.histogramdd(np.nan_to_num(generated, nan=np.inf, posinf=1e30), axes)[0]
        masses = density.masses(self.edges)
        everywhere = [
            np.append(inside, max(0, whole - inside.sum()))
            for inside, whole in ((counts.astype(np.int64), len(generated)), (masses, 1.0))
        ]
        return counts / len(generated), modes.histogram_jsd(*everywhere)

    def _line(self, gan, generated, shares, title):
        low, high = self.points.density.window
        cell = (high - low) / LINE_CELLS
        x = (self.edges[1:] + self.edges[:-1]) / 2
        p_data, p_g = self.points.density.density(x[:, None]), shares / cell
        z = self._quantiles(gan) if gan.latent_dim == 1 else np.empty((0, 1), np.float32)
        return figures.line(
            x,
            p_data,
            p_g,
            self._probability(gan, x[:, None])[:, 0],
            theory.optimal_discriminator(p_data, p_g),
            z[:, 0],
            self._generate(gan, z)[:, 0] if len(z) else z[:, 0],
            title,
        )

    def _quantiles(self, gan):
        """Latents at even distances in probability."""
        shares = np.linspace(LEAST_QUANTILE, 1 - LEAST_QUANTILE, ARROWS)
        z = special.ndtri(shares) if gan.prior == "normal" else 2 * shares - 1
        return z[:, None].astype(np.float32)

    def _plane(self, gan, generated, shares, title):
        low, high = self.points.density.window
        edges = np.linspace(low, high, HEAT_CELLS + 1)
        x, y = np.meshgrid((edges[1:] + edges[:-1]) / 2, (edges[1:] + edges[:-1]) / 2)
        places = np.stack([x.ravel(), y.ravel()], axis=1)
        d = self._probability(gan, places).reshape(x.shape)
        return figures.plane(self.real, generated[:SHOWN], (low, high, low, high), d, title)

    def _generate(self, gan, latents):
        return gan(latents, training=False).numpy() * self.points.scale

    def _probability(self, gan, places):
        """D(x) = sigmoid(logit)."""
        inputs = (places / self.points.scale).astype(np.float32)
        return tf.sigmoid(gan.discriminator(inputs, training=False)).numpy()
