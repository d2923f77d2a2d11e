"""Samples beside the real training images that are nearest to them: has G learnt them by heart?

A generator that repeats its data has samples that are nearer to a training image than other real
images are. So the distances stand beside those of real images that no run was trained on, and of
all samples the picture shows those that are nearest of all.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_keras import checkpoints, data, files, networks
from gan_keras import config as configs
from gan_keras.drawing import encode_png, grid, to_uint8
from gan_keras.errors import UsageError, UserError
from gan_keras.evaluation import classifier_files, extractors, feature_cache, judge
from gan_keras.metrics import distances

logger = logging.getLogger(__name__)

FOLDER = "neighbours"  # In a run's folder.
SAMPLES = 500  # Of which the nearest are shown: those that a repeated image would be among.
ROWS, COLUMNS = 8, 6  # Samples shown, and training images beside each.
CHUNK = 5000  # Training images whose features are in memory at a time.


@dataclass(frozen=True)
class Found:
    """What a comparison has found.

    Attributes:
        path: The PNG: a row per sample, the sample first, then the training images that are
            nearest to it, the nearest first.
        card: What `path` with the ending .json holds: `step`, `seed`, `temperature`, `samples`,
            `training_images`, `extractor`, `shown` (a list of `sample`, `training_images` and
            `distances`) and `median_distance` to the nearest training image, of `generated` and
            of `real` images that were not trained on (None if there are none).
    """

    path: Path
    card: dict


def neighbours(
    workdir,
    step=None,
    extractor="classifier",
    classifier=None,
    seed=0,
    temperature=1.0,
    samples=SAMPLES,
):
    """Finds each sample's nearest training images, and draws those of the nearest samples.

    Args:
        workdir: Folder of the run.
        step: Of the checkpoint, or `best`; the newest by default.
        extractor: Where the features come from, of `extractors.EXTRACTORS`, whose Euclidean
            distance is compared.
        classifier: File of the extractor `classifier`; the usual one by default.
        seed: Of the latents and of the choice of real images.
        temperature: What latents are multiplied by.
        samples: How many are compared.

    Returns:
        Found; its files are in `workdir/neighbours`.

    Raises:
        UsageError: the run makes points, or an unknown extractor or checkpoint.
        UserError: the folder holds no run, or data or an extractor cannot be had, or the files
            cannot be written.
    """
    workdir = Path(workdir)
    config = configs.load(workdir)
    if config.dataset in configs.DENSITIES:
        raise UsageError(
            f"--neighbours: a run on {config.dataset} makes points, whose density is known; "
            "choose a run of images"
        )
    generator = networks.generator(config, len(configs.load_classes(workdir)))
    step = checkpoints.restore_generator(generator, workdir, step)
    eyes = extractors.load(
        extractor,
        dataset=config.dataset,
        image_size=config.image_size,
        channels=config.channels,
        path=classifier,
        data_dir=config.data_dir,
    )
    made = to_uint8(judge.generate(generator, config.prior, samples, seed, temperature))
    training = data.load(config)
    real = _unseen(config, samples, seed)
    both = made if real is None else np.concatenate([made, real])
    logger.info("looking for the nearest of %s training images", f"{training.count:,}")
    apart, numbers = search(eyes, both, training, COLUMNS)
    shown = np.argsort(apart[:samples, 0], kind="stable")[:ROWS]
    card = {
        "step": step,
        "seed": seed,
        "temperature": temperature,
        "samples": samples,
        "training_images": training.count,
        "extractor": eyes.describe(),
        "shown": [
            {
                "sample": int(i),
                "training_images": numbers[i].tolist(),
                "distances": apart[i].tolist(),
            }
            for i in shown
        ],
        "median_distance": {
            "generated": float(np.median(apart[:samples, 0])),
            "real": None if real is None else float(np.median(apart[samples:, 0])),
        },
    }
    path = workdir / FOLDER / f"step-{step:06}-{eyes.name}.png"
    _write(path, _picture(made[shown], training, numbers[shown]), card)
    return Found(path, card)


def search(extractor, images, training, count):
    """Finds the nearest training images, a part of them at a time.

    Args:
        extractor: An `extractors.Extractor`.
        images: (n, height, width, channels) uint8.
        training: `data.Images`.
        count: How many for each image; fewer if there are not so many.

    Returns:
        Distances, float64 (n, count), ascending, and numbers of the training images, int64
        (n, count). Of equally near ones that with the lower number comes first.
    """
    wanted = extractor(images).astype(np.float64)
    folder = classifier_files.cache_folder() / "features"
    best = np.full((len(images), 0), np.inf)
    numbers = np.zeros((len(images), 0), np.int64)
    for first in range(0, training.count, CHUNK):
        part = np.arange(first, min(first + CHUNK, training.count))
        features = feature_cache.features(extractor, training.rows.read(part), folder)
        squares = np.concatenate(
            [block for _, block in distances.blocks(wanted, features.astype(np.float64))]
        )
        best = np.concatenate([best, squares], axis=1)
        numbers = np.concatenate([numbers, np.broadcast_to(part, squares.shape)], axis=1)
        order = np.argsort(best, axis=1, kind="stable")[:, :count]
        best = np.take_along_axis(best, order, axis=1)
        numbers = np.take_along_axis(numbers, order, axis=1)
    return np.sqrt(best), numbers


def _unseen(config, count, seed):
    """Real images that the run was not trained on, (n, ...) uint8, or None if there are none."""
    if data.has_test(config):
        return data.load(config, "test").sample(count, seed)
    return data.load(config, "validation").sample(count, seed) if config.held_out else None


def _picture(samples, training, numbers):
    rows = [
        np.concatenate([sample[np.newaxis], np.asarray(training.rows.read(row))])
        for sample, row in zip(samples, numbers, strict=True)
    ]
    return grid(np.concatenate(rows), columns=len(rows[0]))


def _write(path, picture, card):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, encode_png(picture))
        files.write(path.with_suffix(".json"), (json.dumps(card, indent=2) + "\n").encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {files.why(error)}") from None
