"""Trains a classifier of a data set, tests it and writes its file."""

import contextlib
import logging
import os
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tqdm

import gan_keras
from gan_keras import data
from gan_keras.config import DENSITIES, Config, random_streams
from gan_keras.errors import UsageError, UserError
from gan_keras.evaluation import classifier, classifier_files

logger = logging.getLogger(__name__)

BATCH = 128
LEARNING_RATE = 1e-3  # Adam's own (Kingma & Ba 2015); it falls to 0 along a cosine.
LEAST_EPOCHS, LEAST_IMAGES = 3, 60_000  # Three times MNIST; small data sets have more epochs.


def make(config: Config, path: str | Path, epochs: int | None = None) -> classifier.Classifier:
    """Trains a classifier, tests it and writes its file whole or not at all.

    It is tested on the data set's split `test`, or on a fifth of the images, chosen by the
    seed, that it is not trained on. What it computes follows from the arguments.

    Args:
        config: A Config; of it count `dataset`, `data_dir`, `image_size`, `channels`, `seed`.
        path: The file; its folder is made if it is missing.
        epochs: How often each image is seen; by default 3 times, or as often as makes 60,000.

    Returns:
        The `classifier.Classifier`, as read back from the file.

    Raises:
        UsageError: the data set has no images, no classes, or only one.
        UserError: the data set cannot be had, or the file cannot be written.
    """
    if config.dataset in DENSITIES:
        raise UsageError(
            f"--dataset={config.dataset}: is a density, which needs no classifier to be judged; "
            "choose a data set of images"
        )
    if config.dataset == data.STACKED:
        raise UsageError(
            f"--dataset={config.dataset}: each channel is judged by the classifier of "
            f"{data.STACKED_DIGITS}; choose --dataset={data.STACKED_DIGITS}"
        )
    path = Path(path)
    _check_writable(path)
    images, tests, tested_on = _splits(config)
    labels, test_labels = images.labels(), tests.labels()
    classes = int(max(labels.max(initial=0), test_labels.max(initial=0))) + 1
    if classes < 2:
        raise UsageError(f"--dataset={config.dataset}: has only one class; choose another")
    seen = _steps(images) * BATCH  # In an epoch; of a few pictures each many times.
    epochs = epochs or max(LEAST_EPOCHS, -(-LEAST_IMAGES // seen))
    logger.info(
        f"data: {images.name}, {images.count:,} images {images.shape[0]}x{images.shape[1]}x"
        f"{images.shape[2]} of {classes} classes; tested on {tests.count:,} images, {tested_on}"
    )
    network = classifier.build(config.image_size, config.channels, classes, config.seed)
    _fit(network, images, labels, epochs, config.seed)
    about = {
        "dataset": classifier_files.absolute(config.dataset),
        "image_size": config.image_size,
        "channels": config.channels,
        "classes": classes,
        "accuracy": _accuracy(network, tests, test_labels),
        "tested_on": f"{tests.count:,} images, {tested_on}",
        "epochs": epochs,
        "seed": config.seed,
        "gan_keras": gan_keras.__version__,
    }
    if classifier_files.is_folder(config.dataset):  # Others' classes are always the same.
        about["class_names"] = images.class_names
    classifier.save(path, network, about)
    return classifier.load(path)


def _splits(config):
    """Returns the images to train on, those to test on, and where these come from."""
    images = data.load(config)
    if data.has_test(config):
        return images, data.load(config, "test"), "its split `test`"
    draw = np.random.default_rng([random_streams.CLASSIFIER_SPLIT, config.seed])
    numbers = draw.permutation(images.count)
    fifth = max(1, images.count // 5)
    return images.only(numbers[fifth:]), images.only(numbers[:fifth]), "a fifth, kept out"


def _steps(images):
    return -(-images.count // BATCH)


def _fit(network, images, labels, epochs, seed):
    """Trains the network in place, with a line that shows how far it is."""
    steps = _steps(images)
    network.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * steps)
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # Slower on CPUs, and then other bits than without.
    )
    key = random_streams.CLASSIFIER_ORDER + seed
    batches = tf.data.Dataset.zip(images.batches(BATCH, key), images.batches_of(labels, BATCH, key))
    with tqdm.tqdm(
        desc="training",
        total=epochs * steps * BATCH,
        unit=" images",
        # A log file gets a line now and then, a terminal one that moves.
        mininterval=0.2 if sys.stderr.isatty() else 10,
    ) as progress:

        def show(step, logs):
            values = {name: f"{value:.3f}" for name, value in logs.items()}
            progress.set_postfix(values, refresh=False)
            progress.update(BATCH)

        beside = [keras.callbacks.LambdaCallback(on_train_batch_end=show)]
        network.fit(
            batches,
            epochs=epochs,
            steps_per_epoch=steps,
            callbacks=beside,
            shuffle=False,
            verbose=0,
        )


def _accuracy(network, images, labels):
    """The share of images whose largest logit is that of their class."""
    right, judge = 0, classifier.Classifier(network, {}, "")
    for first in range(0, images.count, classifier.BATCH):
        numbers = np.arange(first, min(first + classifier.BATCH, images.count))
        right += int((judge.classes(images.rows.read(numbers)) == labels[numbers]).sum())
    return right / images.count


def _check_writable(path):
    """Finds what can be found before the work is done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.stat()  # Or a name that is too long would be found out after the training.
    except OSError as error:
        raise UserError(
            f"{error.filename}: cannot be made: {error.strerror}; choose another"
        ) from None
    if path.is_dir():
        raise UserError(f"{path}: is a folder; choose a file in it")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UserError(f"{path.parent}: cannot be written to; choose another folder")
