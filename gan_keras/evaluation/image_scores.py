"""Scores of images, against real ones that no run of the paper's split was trained on."""

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from gan_keras import data
from gan_keras.config import Config, random_streams
from gan_keras.drawing import to_uint8
from gan_keras.errors import UsageError
from gan_keras.evaluation import classifier_files, extractors, feature_cache, intervals, score_cards
from gan_keras.metrics import bootstrap, frechet, kid, neighbours, parzen

# Of the Fréchet distance's bootstrap: each costs two products of all features.
REPLICATES = 100
# Goodfellow et al. 2014: sigma is chosen on 1,000 of the last 10,000 training images.
VALIDATION_IMAGES, VALIDATION_SPLIT = 1000, 10_000
LEAST_IMAGES, LEAST_BLOCKS = 100, 10


class ImageScores:
    """Fréchet distance, KID, precision, recall, density, coverage, and Parzen windows.

    Args:
        config: A Config.
        metrics: Names of the scores that will be asked for.
        num_samples: Real images, as far as there are so many, and generated ones.
        extractor: Where features come from, of `extractors.EXTRACTORS`.
        classifier: File of the extractor `classifier`; the usual one if None.
        seed: Of the choice of real images and of the resampling.

    Raises:
        UsageError: unknown extractor, or too few images.
        UserError: the data or the extractor cannot be had.
    """

    METRICS: ClassVar = {
        "frechet_distance": ("frechet_distance", "squared feature units", "lower"),
        "kernel_distance": ("kernel_distance", "squared MMD", "lower"),
        "precision": ("precision_and_recall", "share of generated images", "higher"),
        "recall": ("precision_and_recall", "share of real images", "higher"),
        "density": ("density_and_coverage", "balls / k", "higher"),
        "coverage": ("density_and_coverage", "share of real images", "higher"),
        "parzen": ("parzen", "nats", "higher"),
    }

    def __init__(
        self,
        config: Config,
        metrics: Iterable[str],
        num_samples: int,
        extractor: str,
        classifier: str | Path | None,
        seed: int,
    ) -> None:
        self.config = config
        self.seed = seed
        self.num_samples = num_samples
        self._features = None
        self.extractor = None
        if set(metrics) - {"parzen"}:
            self.extractor = extractors.load(
                extractor,
                dataset=config.dataset,
                image_size=config.image_size,
                channels=config.channels,
                path=classifier,
                data_dir=config.data_dir,
            )
        # The same validation images whatever this run held out: only then do the scores of two
        # runs compare.
        every = data.load(dataclasses.replace(config, held_out=0))
        held_out = max(1, min(VALIDATION_SPLIT, every.count // 6))
        self.training, self.validation = every.split(held_out)
        # Those of a run need not be among them: spread over class folders, the two sets differ.
        self.were_trained_on = not np.isin(
            every.held_out_numbers(held_out), every.held_out_numbers(config.held_out)
        ).all()
        # Of a folder the name tells little: its pictures may be others tomorrow.
        of_folder = classifier_files.is_folder(config.dataset)
        self.identity = {"images_sha256": every.sha256()} if of_folder else {}
        self.split = "test" if data.has_test(config) else "train"
        real = data.load(config, "test") if self.split == "test" else every
        self.real = real.sample(num_samples, seed)
        fewer = min(len(self.real), num_samples)
        if fewer < LEAST_IMAGES:
            flag = f"--dataset={config.dataset}"
            if num_samples < LEAST_IMAGES:
                flag = f"--num_samples={num_samples}"
            raise UsageError(
                f"{flag}: scores need {LEAST_IMAGES} real and generated "
                f"images at least, and {config.dataset} has {every.count:,}"
            )
        self.block = min(kid.BLOCK, fewer // LEAST_BLOCKS)

    def samples(self, outputs: np.ndarray) -> np.ndarray:
        """Images are scored as they are seen and served."""
        return to_uint8(outputs)

    def references(self) -> dict[str, Callable[[], tuple]]:
        """Noise, and training images where the real ones are of a split that has none of them."""
        made = {score_cards.NOISE: lambda: (self._noise(), None)}
        if self.split == "test":
            made[score_cards.TRAINING_IMAGES] = self._training_images
        return made

    def _training_images(self):
        return self.training.sample(self.num_samples, self.seed), None

    def _noise(self):
        shape = (self.num_samples, *self.config.shape)
        draw = np.random.default_rng([random_streams.NOISE_IMAGES, self.seed])
        return draw.integers(256, size=shape, dtype=np.uint8)

    def protocol(self, metric: str, count: int) -> dict:
        extractor: dict[str, str | None] = {"name": "pixels"}
        if self.extractor and metric != "parzen":
            extractor = {"name": self.extractor.name, "sha256": self.extractor.sha256}
        precision, density = {"k": neighbours.PRECISION_K}, {"k": neighbours.DENSITY_K}
        parameters = {
            "frechet_distance": {},
            "kernel_distance": {"block": self.block},
            "precision": precision,
            "recall": precision,
            "density": density,
            "coverage": density,
            "parzen": {"validation_images": VALIDATION_IMAGES},
        }
        return {
            "dataset": self.config.dataset,
            **self.identity,
            "shape": list(self.config.shape),
            "split": self.split,
            "num_real": len(self.real),
            "num_generated": count,
            "extractor": extractor,
            "parameters": parameters[metric],
        }

    def compute(
        self, function: str, samples: np.ndarray, labels: np.ndarray | None = None
    ) -> dict[str, tuple]:
        if function == "parzen":
            return self._parzen(samples)
        functions = {
            "frechet_distance": self._frechet,
            "kernel_distance": self._kid,
            "precision_and_recall": self._precision_and_recall,
            "density_and_coverage": self._density_and_coverage,
        }
        return functions[function](*self._both_features(samples))

    def _both_features(self, samples):
        """Features of the real images and of the samples, which several scores share."""
        if self._features is None or self._features[0] is not samples:
            folder = classifier_files.cache_folder() / "features"
            real = feature_cache.features(self.extractor, self.real, folder)
            self._features = samples, (real, self.extractor(samples))
        return self._features[1]

    def _frechet(self, real, generated):
        interval = bootstrap.resampled_interval(
            partial(frechet.frechet_distance, real, generated),
            (len(real), len(generated)),
            intervals.LEVEL,
            REPLICATES,
            self.seed,
        )
        method = f"bootstrap of both sets, {REPLICATES} replicates, centred"
        return {"frechet_distance": (interval, method, {})}

    def _kid(self, real, generated):
        estimates = kid.block_estimates(real, generated, self.seed, self.block)
        interval = bootstrap.mean_interval(estimates, intervals.LEVEL)
        method = f"Student's t of {len(estimates)} disjoint blocks"
        return {"kernel_distance": (interval, method, {})}

    def _precision_and_recall(self, real, generated):
        precise, recalled = neighbours.precision_and_recall(real, generated)
        return intervals.of_means(precision=precise, recall=recalled)

    def _density_and_coverage(self, real, generated):
        density, coverage = neighbours.density_and_coverage(real, generated)
        return intervals.of_means(density=density, coverage=coverage)

    def _parzen(self, samples):
        validation = self.validation.sample(VALIDATION_IMAGES, self.seed)
        generated, real, validation = (
            images.reshape(len(images), -1) / 255.0 for images in (samples, self.real, validation)
        )
        choice = parzen.choose_sigma(generated, validation)
        nats = parzen.log_likelihood(generated, real, choice.sigma)
        details = {
            "sigma": choice.sigma,
            "validation_nats": float(choice.log_likelihoods.max()),
            "standard_error": float(nats.std() / np.sqrt(len(nats))),
            "sigmas_tried": choice.sigmas.tolist(),
            "grid_widened": choice.widened,
            "validation_images_were_trained_on": self.were_trained_on,
        }
        interval = bootstrap.mean_interval(nats, intervals.LEVEL)
        return {"parzen": (interval, "Student's t over the real images", details)}
