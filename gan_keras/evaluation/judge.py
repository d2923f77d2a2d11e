"""From a run to score cards: `workdir/scores/*.json`."""

import logging
import time
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import gan_keras
from gan_keras import checkpoints, data, networks
from gan_keras import config as configs
from gan_keras.errors import UsageError, UserError
from gan_keras.evaluation import classifier_files, intervals, score_cards
from gan_keras.evaluation.image_scores import ImageScores
from gan_keras.evaluation.labelled_scores import LabelledScores
from gan_keras.evaluation.point_scores import PointScores
from gan_keras.evaluation.stacked_scores import StackedScores
from gan_keras.game import PRIORS, draw_labels

logger = logging.getLogger(__name__)

CHUNK = 500  # Latents per call of the generator.
# While training: enough to see the way that a score goes, in a second or two.
SAMPLES_WHILE_TRAINING = 2000


def evaluate(
    workdir: str | Path,
    metrics: Iterable[str] | None = None,
    num_samples: int = 10_000,
    step: int | None = None,
    extractor: str = "classifier",
    classifier: str | Path | None = None,
    seed: int = 0,
    references: bool = True,
    temperature: float = 1.0,
) -> list[score_cards.ScoreCard]:
    """Scores the generator of a run, and writes a card for every score.

    Args:
        workdir: Folder of the run.
        metrics: Names of the scores; all that the data has by default.
        num_samples: Generated samples, and real ones as far as there are so many.
        step: Of the checkpoint, or `best`; the newest by default.
        extractor: Where features come from, of `extractors.EXTRACTORS`.
        classifier: File of the extractor `classifier`; the usual one by default.
        seed: Of the latents, the choice of real images, and the resampling.
        references: Whether to score real training images and uniform noise as well.
        temperature: What latents are multiplied by: below 1 samples are more typical, and there
            is less variety (Kingma and Dhariwal 2018, https://arxiv.org/abs/1807.03039).

    Returns:
        The ScoreCards.

    Raises:
        UsageError: unknown metric, extractor or checkpoint, or too few images.
        UserError: the folder holds no run, or data or an extractor cannot be had.
    """
    workdir = Path(workdir)
    config = configs.load(workdir)
    classes = len(configs.load_classes(workdir))
    generator = networks.generator(config, classes)
    step = checkpoints.restore_generator(generator, workdir, step)
    judge = Judge(config, metrics, num_samples, extractor, classifier, seed, temperature)
    folder = workdir / score_cards.FOLDER
    found = judge.generator(generator, step, workdir.resolve().name)
    # Before what takes as long again, and may fail.
    for card in found:
        score_cards.save(card, folder)
    compared = judge.references(folder) if references else []
    for card in compared:
        score_cards.save(card, folder)
    return found + compared


def judge_while_training(config: configs.Config) -> "Judge":
    """Returns a Judge that is fast and quiet.

    Features are the data set's classifier's where that was made, and the pixels elsewhere.
    """
    usual = classifier_files.default_path(config.dataset, config.image_size, config.channels)
    extractor = "classifier" if usual.is_file() else "pixels"
    return Judge(config, None, SAMPLES_WHILE_TRAINING, extractor, quiet=True)


class Judge:
    """Scores generators of one configuration, all by the same protocol.

    Args:
        config: A Config.
        metrics: As in `evaluate`, and so are the others.
    """

    def __init__(
        self,
        config: configs.Config,
        metrics: Iterable[str] | None = None,
        num_samples: int = 10_000,
        extractor: str = "classifier",
        classifier: str | Path | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        quiet: bool = False,
    ) -> None:
        of_points = config.dataset in configs.DENSITIES
        of_images = ImageScores
        if config.dataset == data.STACKED:
            of_images = StackedScores
        elif config.conditional and extractor == "classifier":
            of_images = LabelledScores
        self.known = (PointScores if of_points else of_images).METRICS
        self.metrics = tuple(self.known) if metrics is None else tuple(metrics)
        for name in self.metrics or [""]:
            if name not in self.known:
                raise UsageError(f"--metrics={name}: choose from {', '.join(self.known)}")
        self.config = config
        self.num_samples = num_samples
        self.seed = seed
        self.temperature = temperature
        self.level = logging.DEBUG if quiet else logging.INFO
        self._report(f"loading {config.dataset}")
        self.scores: PointScores | ImageScores
        if of_points:
            self.scores = PointScores(config, seed)
        else:
            self.scores = of_images(config, self.metrics, num_samples, extractor, classifier, seed)

    def better(self, metric: str) -> str:
        """Returns which of two scores is better, `lower` or `higher`."""
        return self.known[metric][2]

    def generator(self, generator: keras.Model, step: int, run: str) -> list[score_cards.ScoreCard]:
        """Returns the cards of a generator at a step of a run."""
        self._report(f"generating {self.num_samples:,} samples of step {step:,}")
        outputs = generate(
            generator, self.config.prior, self.num_samples, self.seed, self.temperature
        )
        return self._cards(
            self.scores.samples(outputs),
            asked_labels(generator, self.num_samples, self.seed),
            subject=score_cards.GENERATOR,
            run=run,
            step=step,
            preset=self.config.preset,
            training_seed=self.config.seed,
            temperature=self.temperature,
        )

    def has_judged(self, step: int, folder: str | Path) -> bool:
        """Whether a folder has all cards of the generator at a step."""
        kept = self._kept(folder, score_cards.GENERATOR, step, self.temperature)
        return set(kept) == set(self.metrics)

    def references(self, folder: str | Path) -> list[score_cards.ScoreCard]:
        """Returns the cards of what gives the numbers a meaning; those in `folder` are reused."""
        references = self.scores.references()
        return [
            card for subject in references for card in self._reference(subject, references, folder)
        ]

    def _report(self, line):
        logger.log(self.level, "%s", line)

    def _reference(self, subject, references, folder):
        kept = self._kept(folder, subject)
        if set(kept) == set(self.metrics):
            return [kept[name] for name in self.metrics]
        self._report(f"scoring {subject}, to compare with")
        return self._cards(
            *references[subject](),
            subject=subject,
            run=None,
            step=None,
            preset=None,
            training_seed=None,
        )

    def _kept(self, folder, subject, step=None, temperature=1.0):
        """The cards in a folder that would be made again, by their metric."""
        return {
            card.metric: card
            for path in Path(folder).glob("*.json")
            if (card := _readable(path))
            and (card.subject, card.step, card.temperature) == (subject, step, temperature)
            and (card.version, card.seed) == (gan_keras.__version__, self.seed)
            and card.metric in self.metrics
            and card.protocol == self.scores.protocol(card.metric, self.num_samples)
        }

    def _cards(self, samples, labels, **about):
        found, seconds = {}, {}
        for name in self.metrics:
            function = self.known[name][0]
            if function in seconds:  # It has found this score with another one.
                continue
            self._report(f"computing {function.replace('_', ' ')}")
            began = time.perf_counter()
            found.update(self.scores.compute(function, samples, labels))
            seconds[function] = round(time.perf_counter() - began, 3)
        return [
            self._card(name, *found[name], seconds[self.known[name][0]], len(samples), about)
            for name in self.metrics
        ]

    def _card(self, name, interval, method, details, seconds, count, about):
        _, unit, better = self.known[name]
        return score_cards.ScoreCard(
            metric=name,
            unit=unit,
            better=better,
            value=interval.estimate,
            interval={
                "low": interval.low,
                "high": interval.high,
                "level": intervals.LEVEL,
                "method": method,
            },
            protocol=self.scores.protocol(name, count),
            seed=self.seed,
            details=details,
            version=gan_keras.__version__,
            wall_seconds=seconds,
            **about,
        )


def generate(
    generator: keras.Model, prior: str, count: int, seed: int, temperature: float = 1.0
) -> np.ndarray:
    """Returns float32 (count, ...) of a generator; a pure function of its weights and the seed.

    One that takes labels is given classes that are drawn, as often as they are in the data: as
    it is served, where nobody asks for a class.
    """
    z = temperature * latents(prior, count, generator.inputs[0].shape[-1], seed)
    labels = asked_labels(generator, count, seed)
    inputs = [z] if labels is None else [z, labels]
    parts = [
        generator(_one_or_all([each[i : i + CHUNK] for each in inputs]), training=False).numpy()
        for i in range(0, count, CHUNK)
    ]
    return np.concatenate(parts)


def asked_labels(generator: keras.Model, count: int, seed: int) -> tf.Tensor | None:
    """Returns the classes that `generate` asks for, (count,) int64; None where there are none."""
    frequencies = networks.frequencies_of(generator)
    if frequencies is None:
        return None
    return draw_labels(count, frequencies, [seed, configs.random_streams.EVALUATION])


def latents(prior, count, latent_dim, seed):
    """Returns the latents that are scored, a float32 tensor (count, latent_dim)."""
    return PRIORS[prior]((count, latent_dim), seed=[seed, configs.random_streams.EVALUATION])


def _one_or_all(inputs):
    return inputs if len(inputs) > 1 else inputs[0]


def _readable(path):
    """The card in a file, or None if another version of gan_keras wrote it."""
    try:
        return score_cards.load(path)
    except UserError:
        return None
