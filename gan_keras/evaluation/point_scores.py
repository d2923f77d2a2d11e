"""Scores of points, of whose density everything is known."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from scipy import stats

from gan_keras import data
from gan_keras.config import Config
from gan_keras.evaluation import intervals
from gan_keras.metrics import bootstrap, modes

REPLICATES = 200
# On a line, cells of a histogram; in the plane, cells as wide as a Gaussian is: finer ones would
# be empty by chance, coarser ones hide in which part of a mode the samples are.
LINE_CELLS = 100
MOST_CELLS = 200  # Along each axis of the plane.


class PointScores:
    """JSD, modes covered, and the share of high-quality points, on a mixture.

    Args:
        config: A Config.
        seed: Of the resampling.
    """

    METRICS: ClassVar = {
        "jsd": ("jsd", "nats", "lower"),
        "modes_covered": ("modes", "modes", "higher"),
        "high_quality": ("modes", "share of generated points", "higher"),
    }

    def __init__(self, config: Config, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.points = data.load(config)

    def samples(self, outputs: np.ndarray) -> np.ndarray:
        """Networks count in units of the data's scale."""
        return outputs * self.points.scale

    def references(self) -> dict[str, Callable[[], tuple]]:
        """A known density needs none: its own scores are closed forms."""
        return {}

    def protocol(self, metric: str, count: int) -> dict:
        cells = len(edges(self.points.density)) - 1
        deviations = {"deviations": modes.DEVIATIONS}
        return {
            "dataset": self.config.dataset,
            "shape": list(self.config.shape),
            "split": "the density",
            "num_real": 0,
            "num_generated": count,
            "extractor": {"name": "none"},
            "parameters": {"cells": cells} if metric == "jsd" else deviations,
        }

    def compute(
        self, function: str, samples: np.ndarray, labels: np.ndarray | None = None
    ) -> dict[str, tuple]:
        return {"jsd": self._jsd, "modes": self._modes}[function](samples)

    def _jsd(self, samples):
        cells, masses = histogram(self.points.density, samples)

        def divergence(counts):
            found = np.bincount(cells, counts, len(masses)).astype(np.int64)
            return modes.histogram_jsd(found, masses)

        interval = self._resampled(divergence, len(samples))
        return {"jsd": (interval, f"bootstrap, {REPLICATES} replicates, centred", {})}

    def _modes(self, samples):
        density = self.points.density
        good = modes.high_quality(samples, density.centres, float(density.sigmas.max()))
        nearest = modes.assign(samples, density.centres)
        interval = self._resampled(
            lambda counts: float(len(np.unique(nearest[good & (counts > 0)]))), len(samples)
        )
        # A replicate can only lose modes; what centring makes of that ends at all of them.
        interval = interval._replace(high=min(interval.high, float(len(density.centres))))
        count = len(density.centres)
        details = {
            "modes": count,
            "best": float(count),
            "high_quality_samples_of_each": np.bincount(nearest[good], minlength=count).tolist(),
        }
        share = intervals.of_means(high_quality=good)["high_quality"]
        return {
            "modes_covered": (interval, f"bootstrap, {REPLICATES} replicates, centred", details),
            "high_quality": (*share[:2], {"best": share_of_high_quality(density)}),
        }

    def _resampled(self, score, count):
        return bootstrap.resampled_interval(score, (count,), intervals.LEVEL, REPLICATES, self.seed)


def edges(density: data.Mixture) -> np.ndarray:
    """Returns where the cells of a histogram begin and end, float (n + 1,), on every axis."""
    low, high = density.window
    cells = LINE_CELLS
    if density.length == 2:
        cells = min(MOST_CELLS, round((high - low) / density.sigmas.min()))
    return np.linspace(low, high, cells + 1)


def histogram(density: data.Mixture, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorts points into the cells of the window and one more for all that lies elsewhere.

    Args:
        density: A `data.densities.Mixture`.
        samples: Float (n, length), in its units. What is not finite lies elsewhere.

    Returns:
        The number of each point's cell, integers (n,), and the density's mass in each cell,
        (cells + 1,), with the sum 1.
    """
    borders = edges(density)
    side = len(borders) - 1
    samples = np.nan_to_num(samples, nan=np.inf, posinf=np.inf)
    # The upper end of the window is in its last cell, as in numpy's histograms.
    places = np.searchsorted(borders, samples, side="right") - 1
    places[samples == borders[-1]] = side - 1
    inside = np.all((places >= 0) & (places < side), axis=1)
    masses = density.masses(borders)
    numbers = np.full(len(samples), masses.size)
    numbers[inside] = np.ravel_multi_index(tuple(places[inside].T), masses.shape)
    return numbers, np.append(masses, max(0.0, 1 - masses.sum()))


def jsd(density: data.Mixture, samples: np.ndarray) -> float:
    """Returns JSD(density || samples) in nats, by the cells of `histogram`."""
    cells, masses = histogram(density, samples)
    return modes.histogram_jsd(np.bincount(cells, minlength=len(masses)), masses)


def share_of_high_quality(density: data.Mixture) -> float:
    """Returns how much of the density itself is near enough to a centre to be of high quality."""
    reach = modes.DEVIATIONS * density.sigmas.max()
    if density.length == 2:  # Its Gaussians are so far apart that each counts alone.
        return float(stats.chi2.cdf((reach / density.sigmas.max()) ** 2, df=2))
    ends = np.array([[c - reach, c + reach] for c in np.sort(density.centres[:, 0])])
    # Where two reaches overlap, the first ends where the second begins.
    ends[:-1, 1] = np.minimum(ends[:-1, 1], ends[1:, 0])
    return float(sum(density.masses(np.asarray(pair))[0] for pair in ends))
