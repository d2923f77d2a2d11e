"""Scores of a generator that takes labels: those of images, and whether the labels are obeyed."""

from typing import ClassVar

import numpy as np

from gan_keras.evaluation import extractors, intervals, score_cards
from gan_keras.evaluation.image_scores import ImageScores


class LabelledScores(ImageScores):
    """ImageScores, and the share of images in which the classifier sees the class asked for.

    Args:
        config: A Config that is conditional; the others are as of ImageScores. The extractor is
            the classifier.
    """

    METRICS: ClassVar = {
        **ImageScores.METRICS,
        "label_accuracy": ("label_accuracy", "share of generated images", "higher"),
    }

    def __init__(self, config, metrics, num_samples, extractor, classifier, seed):
        of_images = [name for name in metrics if name != "label_accuracy"]
        super().__init__(config, of_images, num_samples, extractor, classifier, seed)
        images = config.dataset, config.image_size, config.channels
        self.classifier = extractors.classifier_of(*images, config.data_dir, classifier)

    def references(self):
        """Each with the classes that its images have; of noise all are wanted alike."""
        made = super().references()
        wanted = np.arange(self.num_samples) % self.classifier.about["classes"]
        made[score_cards.NOISE] = lambda: (self._noise(), wanted)
        return made

    def protocol(self, metric, count):
        if metric != "label_accuracy":
            return super().protocol(metric, count)
        return {
            **super().protocol("parzen", count),
            "num_real": 0,
            "extractor": {"name": "classifier", "sha256": self.classifier.sha256},
            "parameters": {},
        }

    def compute(self, function, samples, labels):
        if function != "label_accuracy":
            return super().compute(function, samples, labels)
        return intervals.of_means(
            label_accuracy=self.classifier.classes(samples) == np.asarray(labels)
        )

    def _training_images(self):
        numbers = self.training.chosen(self.num_samples, self.seed)
        return self.training.rows.read(numbers), self.training.labels()[numbers]
