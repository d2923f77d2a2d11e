"""Scores of points, of whose density everything is known."""

from typing import ClassVar

import numpy as np

from gan_keras import data
from gan_keras.evaluation import intervals
from gan_keras.metrics import bootstrap, modes

REPLICATES = 200


class PointScores:
    """Modes covered, and the share of high-quality points, on a mixture.

    Args:
        config: A Config.
        seed: Of the resampling.
    """

    METRICS: ClassVar = {
        "modes_covered": ("mixture", "modes", "higher"),
        "high_quality": ("mixture", "share of generated points", "higher"),
    }

    def __init__(self, config, seed):
        self.config = config
        self.seed = seed
        self.points = data.load(config)

    def samples(self, outputs):
        """Networks count in units of the data's scale."""
        return outputs * self.points.scale

    def references(self):
        """A known density needs none: its own scores are closed forms."""
        return {}

    def protocol(self, metric, count):
        return {
            "dataset": self.config.dataset,
            "shape": list(self.config.shape),
            "split": "the density",
            "num_real": 0,
            "num_generated": count,
            "extractor": {"name": "none"},
            "parameters": {"deviations": modes.DEVIATIONS},
        }

    def compute(self, function, samples):
        density = self.points.density
        good = modes.high_quality(samples, density.centres, float(density.sigmas.max()))
        nearest = modes.assign(samples, density.centres)

        def covered(counts):
            return float(len(np.unique(nearest[good & (counts > 0)])))

        interval = bootstrap.resampled_interval(
            covered, (len(samples),), intervals.LEVEL, REPLICATES, self.seed
        )
        # A replicate can only lose modes; what centring makes of that ends at all of them.
        interval = interval._replace(high=min(interval.high, float(len(density.centres))))
        details = {
            "modes": len(density.centres),
            "high_quality_samples_of_each": np.bincount(
                nearest[good], minlength=len(density.centres)
            ).tolist(),
        }
        method = f"bootstrap, {REPLICATES} replicates, centred"
        return {
            "modes_covered": (interval, method, details),
            **intervals.of_means(high_quality=good),
        }
