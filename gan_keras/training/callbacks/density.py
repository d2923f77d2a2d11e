"""What a known density lets one see: p_g beside p_data, D beside D*, and the true JSD."""

import dataclasses

import numpy as np
from scipy import optimize, special

from gan_keras import evaluation, theory
from gan_keras.drawing import figures

PLACES = 401  # of the curves on a line
# Of the smooth estimate of p_g, as a share of the narrowest Gaussian of the data: that makes it
# 1 % wider than it is.
BANDWIDTH = 0.15
# Share of p_data's peak. Where the mean of both densities is less, D is asked next to nothing, so
# that neither D nor D* is shown.
LEAST_DENSITY = 0.01
HEAT_CELLS = 80
SHOWN = 1000  # points in the plane; more hide each other and D
ARROWS = 33
# The outermost quantiles of the normal prior that arrows are drawn from.
LEAST_QUANTILE = 0.005


class Density:
    """A picture of the whole game on a density that is known: for `callbacks.Samples`.

    On a line it is figure 1 of Goodfellow et al. 2014; in the plane, real and generated points
    over D. The scalar `jsd` is JSD(p_data || p_g) in nats, by the histogram of the samples.

    On a line all curves are those of the game that is played: with instance noise, D sees data
    and samples blurred, so both densities are blurred in the same way, and D* is theirs. The JSD
    is that of the densities without blur.

    Args:
        points: The data, as `data.densities.Points`.
        count: Samples that p_g and the JSD are estimated from.
    """

    def __init__(self, points, count=10_000):
        self.points = points
        self.count = count
        self.real = points.sample(SHOWN)

    def draw(self, gan, latents):
        generated = self.generate(gan, latents)
        jsd = evaluation.jsd(self.points.density, generated)
        title = f"step {gan.step:,}   JSD {jsd:.3f} nats"
        if blur := self.blur(gan):
            title += f"   D sees a blur of {blur:.2f}"
        plot = self._line if self.points.density.length == 1 else self._plane
        return plot(gan, generated, title), {"jsd": jsd}

    def _line(self, gan, generated, title):
        low, high = self.points.density.window
        x = np.linspace(low, high, PLACES)
        p_data, p_g, d, d_star = self.curves(gan, generated, x)
        z = self.quantiles(gan, ARROWS) if gan.latent_dim == 1 else np.empty((0, 1), np.float32)
        return figures.line(
            x,
            p_data,
            p_g,
            d,
            d_star,
            z[:, 0],
            self.generate(gan, z)[:, 0] if len(z) else z[:, 0],
            title,
            peak=self._peak(x),
        )

    def curves(self, gan, generated, x):
        """The game on a line, as D sees it at this step.

        Args:
            gan: A `GAN` of points on a line.
            generated: Samples of its generator, float (n, 1), in units of the data.
            x: Places, float (m,).

        Returns:
            p_data, p_g, D and D* at the places, each float (m,). Both densities have this step's
            instance noise on them. D and D* are NaN where there is next to nothing of either.
        """
        blur = self.blur(gan)
        density = self.points.density
        p_data = _blurred(density, blur).density(x[:, None])
        if gan.latent_dim == 1:  # Even quantiles instead of draws: no noise in the estimate.
            generated = self.generate(gan, self.quantiles(gan, self.count, 0.5 / self.count))
        p_g = _estimate(generated[:, 0], x, np.hypot(blur, BANDWIDTH * density.sigmas.min()))
        seen = (p_data + p_g) / 2 >= LEAST_DENSITY * self._peak(x)
        d = self.probability(gan, x[:, None], generated)[:, 0]
        d_star = theory.optimal_discriminator(p_data, p_g)
        return p_data, p_g, np.where(seen, d, np.nan), np.where(seen, d_star, np.nan)

    def _peak(self, x):
        return self.points.density.density(x[:, None]).max()

    def blur(self, gan):
        """Deviation of this step's instance noise, in units of the data: as `GAN` has it."""
        left = max(0.0, 1.0 - gan.step / gan.instance_noise_steps)
        return gan.instance_noise * left * self.points.scale

    def quantiles(self, gan, count, margin=LEAST_QUANTILE):
        """Latents at even distances in probability, float32 (count, 1)."""
        shares = np.linspace(margin, 1 - margin, count)
        z = special.ndtri(shares) if gan.prior == "normal" else 2 * shares - 1
        return z[:, None].astype(np.float32)

    def _plane(self, gan, generated, title):
        low, high = self.points.density.window
        d = self.field(gan, generated, HEAT_CELLS)
        return figures.plane(self.real, generated[:SHOWN], (low, high, low, high), d, title)

    def field(self, gan, generated, cells):
        """D in the plane.

        Args:
            gan: A `GAN` of points in the plane.
            generated: Samples of its generator, float (n, 2), in units of the data.
            cells: Cells along each side of the window.

        Returns:
            D at the middles of the cells, float (cells, cells); the first row is the lowest.
        """
        edges = np.linspace(*self.points.density.window, cells + 1)
        x, y = np.meshgrid((edges[1:] + edges[:-1]) / 2, (edges[1:] + edges[:-1]) / 2)
        places = np.stack([x.ravel(), y.ravel()], axis=1)
        return self.probability(gan, places, generated).reshape(x.shape)

    def generate(self, gan, latents):
        """What G makes of latents, float (n, length), in units of the data."""
        return gan(latents, training=False).numpy() * self.points.scale

    def probability(self, gan, places, generated):
        """D(x) = sigmoid(logit), float (n, 1) at so many places.

        Of a game of pairs logits are known up to a constant: it is chosen so that the mean of D
        over data and samples is 1/2, as that of D* is.
        """
        logits = self._logits(gan, places)
        if gan.objective.in_pairs:
            seen = [self._logits(gan, each) for each in (self.real, generated)]
            logits -= _middle(*seen)
        return special.expit(logits)

    def _logits(self, gan, places):
        inputs = (places / self.points.scale).astype(np.float32)
        return gan.discriminator(inputs, training=False).numpy()


def _middle(real, fake):
    """The number c for which the mean of sigmoid(logit - c), half over each, is 1/2."""

    def excess(c):
        return special.expit(real - c).mean() + special.expit(fake - c).mean() - 1.0

    low, high = (end(real.min(), fake.min(), real.max(), fake.max()) for end in (min, max))
    return optimize.brentq(excess, low, high) if low < high else low


def _blurred(mixture, deviation):
    """The density of a mixture's points with Gaussian noise on them: wider Gaussians."""
    return dataclasses.replace(mixture, sigmas=np.hypot(mixture.sigmas, deviation))


def _estimate(samples, x, width):
    """A density from samples on a line: the mean of Gaussians of `width` around them.

    Args:
        samples: Float (n,); what is not finite counts as mass that is elsewhere.
        x: Where to estimate, float (m,), ascending.
        width: Deviation of the Gaussians, > 0.

    Returns:
        Float (m,).
    """
    # First into cells much narrower than the width: as good, and a hundred times as fast.
    low, high = x[0] - 6 * width, x[-1] + 6 * width
    counts, edges = np.histogram(
        np.nan_to_num(samples, nan=np.inf, posinf=np.inf),
        bins=int(np.ceil(10 * (high - low) / width)),
        range=(low, high),
    )
    scaled = (x[:, None] - (edges[1:] + edges[:-1]) / 2) / width
    kernels = np.exp(-(scaled**2) / 2) / (width * np.sqrt(2 * np.pi))
    return kernels @ counts / len(samples)
