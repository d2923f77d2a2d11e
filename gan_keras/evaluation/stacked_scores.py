"""Scores of stacked digits: those of images, and which of the 1,000 modes the samples have.

MNIST's classifier reads each channel. References as in `data.stacked`.
"""

from typing import ClassVar

import numpy as np

from gan_keras.data import STACKED_DIGITS
from gan_keras.evaluation import extractors, intervals
from gan_keras.evaluation.image_scores import ImageScores
from gan_keras.metrics import bootstrap, modes

REPLICATES = 200


class StackedScores(ImageScores):
    """ImageScores, the modes covered, and KL(generated || data) over the modes.

    Args:
        config: A Config whose data are `stacked_mnist`; the others are as of ImageScores.
    """

    METRICS: ClassVar = {
        **ImageScores.METRICS,
        "modes_covered": ("modes", "modes", "higher"),
        "mode_kl": ("modes", "nats", "lower"),
    }
    OF_MODES: ClassVar = ("modes_covered", "mode_kl")

    def __init__(self, config, metrics, num_samples, extractor, classifier, seed):
        of_images = [name for name in metrics if name not in self.OF_MODES]
        super().__init__(config, of_images, num_samples, extractor, classifier, seed)
        self.reader = None
        if set(metrics) & set(self.OF_MODES):
            digits = STACKED_DIGITS, config.image_size, 1
            self.reader = extractors.classifier_of(*digits, config.data_dir)

    def protocol(self, metric, count):
        if metric not in self.OF_MODES:
            return super().protocol(metric, count)
        return {
            **super().protocol("parzen", count),
            "extractor": {"name": "classifier", "sha256": self.reader.sha256},
            "parameters": {"modes": 1000},
        }

    def compute(self, function, samples, labels=None):
        if function == "modes":
            return self._modes(samples)
        return super().compute(function, samples, labels)

    def _modes(self, samples):
        read = digits(self.reader, samples)
        found = read @ np.array([100, 10, 1])
        masses = self._masses()

        def counts(weights):
            return np.bincount(found, weights, 1000).astype(np.int64)

        covered = self._resampled(lambda weights: float((counts(weights) > 0).sum()), len(samples))
        # A replicate can only lose modes; what centring makes of that ends at all of them.
        covered = covered._replace(high=min(covered.high, 1000.0))
        kl = self._resampled(
            lambda weights: modes.histogram_kl(counts(weights), masses), len(samples)
        )
        method = f"bootstrap, {REPLICATES} replicates, centred"
        details = {"modes": 1000, "best": 1000.0}
        # What as many pictures of the data would have.
        expected = {"of_real_pictures": 999 / (2 * len(samples))}
        return {"modes_covered": (covered, method, details), "mode_kl": (kl, method, expected)}

    def _masses(self):
        """The data's mass in each mode: its digits are drawn independently."""
        labels = self.training.labels()
        of_digits = np.concatenate([labels // 100, labels // 10 % 10, labels % 10])
        shares = np.bincount(of_digits, minlength=10) / len(of_digits)
        return np.einsum("a,b,c->abc", shares, shares, shares).ravel()

    def _resampled(self, score, count):
        return bootstrap.resampled_interval(score, (count,), intervals.LEVEL, REPLICATES, self.seed)


def digits(reader, images):
    """Returns which digit a Classifier of digits sees in each channel: int64 (n, 3).

    Args:
        reader: The Classifier.
        images: (n, size, size, 3) uint8.
    """
    return np.stack([reader.classes(images[..., i : i + 1]) for i in range(3)], axis=-1)
