"""From a run to score cards: `workdir/scores/*.json`."""

import dataclasses
import time
from functools import partial
from pathlib import Path

import numpy as np

import gan_keras
from gan_keras import cards as score_cards
from gan_keras import checkpoints, data, extractors, feature_cache, networks
from gan_keras import classifier as classifiers
from gan_keras import config as configs
from gan_keras.errors import UsageError, UserError
from gan_keras.images import to_uint8
from gan_keras.metrics import bootstrap, frechet, kid, modes, neighbours, parzen
from gan_keras.priors import PRIORS

# Of the seeds (seed, draw) of latents: training has draw >= 0, the sample grid -1.
LATENT_DRAW = -2
CHUNK = 500  # Latents per call of the generator.
LEVEL = 0.95
# Of the Fréchet distance's bootstrap, whose replicates cost a product of covariances each.
REPLICATES = 100
# Goodfellow et al. 2014: sigma is chosen on 1,000 of the last 10,000 training images.
VALIDATION_IMAGES, VALIDATION_SPLIT = 1000, 10_000
# While training: enough to see the way that a score goes, in a second or two.
SAMPLES_WHILE_TRAINING = 2000
LEAST_IMAGES, LEAST_BLOCKS = 100, 10
NO_EXTRACTOR = {"name": "none"}
PIXELS = {"name": "pixels"}

# Metric: the function that finds it (one may find several), its unit, and what is better.
IMAGE_METRICS = {
    "frechet_distance": ("frechet", "squared feature units", "lower"),
    "kernel_distance": ("kid", "squared MMD", "lower"),
    "precision": ("precision_and_recall", "share of generated images", "higher"),
    "recall": ("precision_and_recall", "share of real images", "higher"),
    "density": ("density_and_coverage", "balls / k", "higher"),
    "coverage": ("density_and_coverage", "share of real images", "higher"),
    "parzen": ("parzen", "nats", "higher"),
}
POINT_METRICS = {
    "modes_covered": ("mixture", "modes", "higher"),
    "high_quality": ("mixture", "share of generated points", "higher"),
}


def metrics_of(config):
    """Returns the metrics that a configuration's data can be scored by, as a dict."""
    return POINT_METRICS if config.dataset in configs.DENSITIES else IMAGE_METRICS


def evaluate(
    workdir,
    metrics=None,
    num_samples=10_000,
    step=None,
    extractor="classifier",
    classifier=None,
    seed=0,
    floors=True,
    say=print,
):
    """Scores the generator of a run, and writes a card for every score.

    Args:
        workdir: Folder of the run.
        metrics: Names, of `metrics_of(config)`; all by default.
        num_samples: Generated samples, and real ones as far as there are so many.
        step: Of the checkpoint; the newest by default.
        extractor: Where features come from, of `extractors.EXTRACTORS`.
        classifier: File of the extractor `classifier`; the usual one by default.
        seed: Of the latents, the choice of real images, and the resampling.
        floors: Whether to score real training images and uniform noise as well.
        say: Called with lines for a person to read.

    Returns:
        The Cards.

    Raises:
        UsageError: no such metric, extractor or checkpoint, or too few images.
        UserError: the folder holds no run, or data or an extractor cannot be had.
    """
    workdir = Path(workdir)
    config = configs.load(workdir)
    generator = networks.NETWORKS[config.network].generator(
        config.shape, config.latent_dim, config.width, seed=config.seed
    )
    step = checkpoints.restore_generator(generator, workdir, step)
    judge = Judge(config, metrics, num_samples, extractor, classifier, seed, say)
    found = judge.generator(generator, step, workdir.resolve().name)
    if floors:
        found += judge.floors(workdir / score_cards.FOLDER)
    for card in found:
        score_cards.save(card, workdir / score_cards.FOLDER)
    return found


def judge_while_training(config):
    """Returns a Judge that is fast and quiet.

    Features are the data set's classifier's where that was made, and the pixels elsewhere.
    """
    usual = classifiers.default_path(config.dataset, config.image_size, config.channels)
    extractor = "classifier" if usual.is_file() else "pixels"
    return Judge(config, None, SAMPLES_WHILE_TRAINING, extractor, say=lambda line: None)


class Judge:
    """Scores generators of one configuration, all by the same protocol.

    Args:
        config: A Config.
        metrics: As in `evaluate`, and so are the others.
    """

    def __init__(
        self,
        config,
        metrics=None,
        num_samples=10_000,
        extractor="classifier",
        classifier=None,
        seed=0,
        say=print,
    ):
        known = metrics_of(config)
        self.metrics = tuple(known) if metrics is None else tuple(metrics)
        for name in self.metrics:
            if name not in known:
                raise UsageError(f"--metrics={name}: choose from {', '.join(known)}")
        self.config = config
        self.num_samples = num_samples
        self.seed = seed
        self.say = say
        self.block = self._features = None
        if config.dataset in configs.DENSITIES:
            self._scores = {"mixture": self._mixture}
            return
        self._scores = {
            "frechet": self._frechet,
            "kid": self._kid,
            "precision_and_recall": self._precision_and_recall,
            "density_and_coverage": self._density_and_coverage,
            "parzen": self._parzen,
        }
        self._load_images(extractor, classifier)

    def _load_images(self, extractor, classifier):
        config = self.config
        self.split = "test" if data.has_test(config) else "train"
        if set(self.metrics) - {"parzen"}:
            self.extractor = extractors.load(
                extractor,
                dataset=config.dataset,
                image_size=config.image_size,
                channels=config.channels,
                path=classifier,
                data_dir=config.data_dir,
            )
        # Sigma is chosen on images that no run of the paper's split trained on, whatever this
        # run did: only then do the scores of two runs compare.
        whole = dataclasses.replace(config, held_out=0)
        self.say(f"loading {config.dataset}")
        every = data.load(whole)
        held_out = max(1, min(VALIDATION_SPLIT, every.count // 6))
        numbers = np.arange(every.count)
        self.training = every.only(numbers[:-held_out])
        self.validation = every.only(numbers[-held_out:])
        real = data.load(config, "test") if self.split == "test" else every
        self.real = real.sample(self.num_samples, self.seed)
        fewer = min(len(self.real), self.num_samples)
        if fewer < LEAST_IMAGES:
            raise UsageError(
                f"--num_samples={self.num_samples}: scores need {LEAST_IMAGES} real and generated "
                f"images at least, and {config.dataset} has {every.count:,}"
            )
        self.block = min(kid.BLOCK, fewer // LEAST_BLOCKS)

    def generator(self, generator, step, run):
        """Returns the cards of a generator at a step of a run."""
        self.say(f"generating {self.num_samples:,} samples of step {step:,}")
        samples = generate(generator, self.config.prior, self.num_samples, self.seed)
        about = {
            "subject": score_cards.GENERATOR,
            "run": run,
            "step": step,
            "preset": self.config.preset,
            "training_seed": self.config.seed,
        }
        if self.config.dataset not in configs.DENSITIES:
            samples = to_uint8(samples)
        return self._cards(samples, about)

    def floors(self, folder):
        """Returns the cards of what gives the numbers a meaning; those in `folder` are reused.

        They are uniform noise, and real training images where the real ones are of a split
        that they are not in. A known density needs none: its best scores are closed forms.
        """
        if self.config.dataset in configs.DENSITIES:
            return []
        generator = np.random.default_rng(self.seed)
        made = {
            score_cards.NOISE: lambda: generator.integers(
                256, size=(self.num_samples, *self.config.shape), dtype=np.uint8
            )
        }
        if self.split == "test":
            made[score_cards.TRAINING_IMAGES] = lambda: self.training.sample(
                self.num_samples, self.seed
            )
        return [
            card for subject, make in made.items() for card in self._floor(subject, make, folder)
        ]

    def _floor(self, subject, make, folder):
        about = {
            "subject": subject, "run": None, "step": None, "preset": None, "training_seed": None,
        }  # fmt: skip
        kept = [card for path in Path(folder).glob("*.json") if (card := _kept(path))]
        kept = {
            card.metric: card
            for card in kept
            if card.subject == subject
            and card.version == gan_keras.__version__
            and card.metric in self.metrics
            and card.protocol == self._protocol(card.metric, len(self.real))
        }
        if set(kept) == set(self.metrics):
            return [kept[name] for name in self.metrics]
        self.say(f"scoring {subject}, to compare with")
        return self._cards(make(), about)

    def _cards(self, samples, about):
        known, found = metrics_of(self.config), {}
        self.seconds = {}
        for name in self.metrics:
            group = known[name][0]
            if group in self.seconds:
                continue
            self.say(f"computing {group.replace('_', ' ')}")
            began = time.perf_counter()
            found.update(self._scores[group](samples))
            self.seconds[group] = round(time.perf_counter() - began, 3)
        self._features = None
        return [
            score_cards.Card(
                metric=name,
                unit=known[name][1],
                better=known[name][2],
                value=found[name][0].estimate,
                interval={
                    "low": found[name][0].low,
                    "high": found[name][0].high,
                    "level": LEVEL,
                    "method": found[name][1],
                },
                protocol=self._protocol(name, len(samples)),
                seed=self.seed,
                details=found[name][2],
                version=gan_keras.__version__,
                wall_seconds=self.seconds[known[name][0]],
                **about,
            )
            for name in self.metrics
        ]

    def _protocol(self, metric, generated):
        """What has to be equal where two scores of a metric are compared."""
        parameters = {
            "kernel_distance": {"block": self.block},
            "precision": {"k": neighbours.PRECISION_K},
            "recall": {"k": neighbours.PRECISION_K},
            "density": {"k": neighbours.DENSITY_K},
            "coverage": {"k": neighbours.DENSITY_K},
            "parzen": {"validation_images": VALIDATION_IMAGES},
            "modes_covered": {"deviations": modes.DEVIATIONS},
            "high_quality": {"deviations": modes.DEVIATIONS},
        }
        common = {
            "dataset": self.config.dataset,
            "shape": list(self.config.shape),
            "num_generated": generated,
            "parameters": parameters.get(metric, {}),
        }
        if metric in POINT_METRICS:
            return {**common, "split": "the density", "num_real": 0, "extractor": NO_EXTRACTOR}
        extractor = PIXELS
        if metric != "parzen":
            extractor = {"name": self.extractor.name, "sha256": self.extractor.sha256}
        return {
            **common, "split": self.split, "num_real": len(self.real), "extractor": extractor,
        }  # fmt: skip

    def _both_features(self, samples):
        """Features of the real images and of the samples, computed once for all scores."""
        if self._features is None:
            folder = classifiers.cache_folder() / "features"
            real = feature_cache.features(self.extractor, self.real, folder)
            self._features = real, self.extractor(samples)
        return self._features

    def _frechet(self, samples):
        real, generated = self._both_features(samples)
        interval = bootstrap.resampled_interval(
            partial(frechet.frechet_distance, real, generated),
            (len(real), len(generated)),
            LEVEL,
            REPLICATES,
            self.seed,
        )
        method = f"bootstrap of both sets, {REPLICATES} replicates, centred"
        return {"frechet_distance": (interval, method, {})}

    def _kid(self, samples):
        estimates = kid.block_estimates(*self._both_features(samples), self.seed, self.block)
        interval = bootstrap.mean_interval(estimates, LEVEL)
        method = f"Student's t of {len(estimates)} disjoint blocks"
        return {"kernel_distance": (interval, method, {})}

    def _precision_and_recall(self, samples):
        precise, recalled = neighbours.precision_and_recall(*self._both_features(samples))
        return _shares(precision=precise, recall=recalled)

    def _density_and_coverage(self, samples):
        density, coverage = neighbours.density_and_coverage(*self._both_features(samples))
        return _shares(density=density, coverage=coverage)

    def _parzen(self, samples):
        generated, real, validation = (
            images.reshape(len(images), -1) / 255.0
            for images in (
                samples, self.real, self.validation.sample(VALIDATION_IMAGES, self.seed),
            )
        )  # fmt: skip
        choice = parzen.choose_sigma(generated, validation)
        nats = parzen.log_likelihood(generated, real, choice.sigma)
        details = {
            "sigma": choice.sigma,
            "standard_error": float(nats.std() / np.sqrt(len(nats))),
            "sigmas_tried": choice.sigmas.tolist(),
            "grid_widened": choice.widened,
            "validation_images_were_trained_on": self.config.held_out < self.validation.count,
        }
        interval = bootstrap.mean_interval(nats, LEVEL)
        return {"parzen": (interval, "Student's t over the real images", details)}

    def _mixture(self, samples):
        points = data.load(self.config)
        density, samples = points.density, samples * points.scale
        sigma = float(density.sigmas.max())
        good = modes.high_quality(samples, density.centres, sigma)
        nearest = modes.assign(samples, density.centres)

        def covered(counts):
            return float(len(np.unique(nearest[good & (counts > 0)])))

        samples_of = np.bincount(nearest[good], minlength=len(density.centres))
        details = {
            "modes": len(density.centres),
            "high_quality_samples_of_each": samples_of.tolist(),
        }
        interval = bootstrap.resampled_interval(covered, (len(samples),), LEVEL, seed=self.seed)
        of_modes = {"modes_covered": (interval, "bootstrap, 200 replicates, centred", details)}
        return {**of_modes, **_shares(high_quality=good)}


def generate(generator, prior, count, seed):
    """Returns float32 (count, ...) of a generator; a pure function of its weights and the seed."""
    latents = PRIORS[prior]((count, generator.input_shape[-1]), seed=[seed, LATENT_DRAW])
    parts = [
        generator(latents[i : i + CHUNK], training=False).numpy() for i in range(0, count, CHUNK)
    ]
    return np.concatenate(parts)


def _shares(**values):
    """Scores that are means of what single samples contribute."""
    methods = {"b": "Wilson's interval", "f": "Student's t"}
    return {
        name: (bootstrap.mean_interval(each, LEVEL), methods[each.dtype.kind], {})
        for name, each in values.items()
    }


def _kept(path):
    """The card in a file, or None if another version of gan_keras wrote it."""
    try:
        return score_cards.load(path)
    except UserError:
        return None
