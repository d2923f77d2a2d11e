"""A small classifier of a data set's own classes, whose features judge generated images.

Features of ImageNet say little about digits, and their weights have to be downloaded. These are
learnt offline, in minutes, from the data set that the GAN learns.
"""

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tqdm
from keras import layers

import gan_keras
from gan_keras import data, files
from gan_keras.config import DENSITIES, Config, random_streams
from gan_keras.data import folder
from gan_keras.errors import UsageError, UserError
from gan_keras.networks import WeightSeeds

logger = logging.getLogger(__name__)

FEATURES = 128
FEATURE_LAYER = "features"
FILTERS, MOST_FILTERS = 32, 128
SMALLEST = 4  # Pixels; a larger picture is halved once more before the dense layers.

BATCH = 128
LEARNING_RATE = 1e-3  # Adam's own (Kingma & Ba 2015); it falls to 0 along a cosine.
LEAST_EPOCHS, LEAST_IMAGES = 3, 60_000  # Three times MNIST; small data sets have more epochs.

# Part of every file: raise it when the same weights would give other features.
VERSION = 1


@dataclass(frozen=True)
class Classifier:
    """A trained network, and what it is.

    Attributes:
        network: Model from float32 images (batch, image_size, image_size, channels) in [-1, 1]
            to float32 logits (batch, classes).
        about: Dict of `dataset`, `image_size`, `channels`, `classes`, `accuracy` (of 1),
            `tested_on`, `epochs`, `seed` and `gan_keras`, the version that trained it; of a
            folder `class_names` too, in the order of the logits.
        sha256: Of the bytes of its file, hexadecimal.
    """

    network: keras.Model
    about: dict
    sha256: str

    @property
    def features(self):
        """Model from the same images to float32 features (batch, 128).

        They are the inputs of the last hidden layer's ReLU, not its outputs: as sums of many
        terms they are closer to the Gaussian that a Fréchet distance takes them for, and no
        unit that is silent on all images makes their covariance singular.
        """
        return keras.Model(self.network.inputs[0], self.network.get_layer(FEATURE_LAYER).output)

    def classes(self, images: np.ndarray) -> np.ndarray:
        """Returns the class that it sees in each image.

        Args:
            images: (n, image_size, image_size, channels) uint8.

        Returns:
            (n,) int64.
        """
        found = np.empty(len(images), np.int64)
        for first in range(0, len(images), 2 * BATCH):
            part = slice(first, first + 2 * BATCH)
            pixels = images[part].astype(np.float32) / 127.5 - 1.0
            found[part] = self.network.predict_on_batch(pixels).argmax(axis=-1)
        return found


def build(image_size: int, channels: int, classes: int, seed: int) -> keras.Model:
    """Convolutions that halve the picture until it is small, then 128 features, then logits.

    Args:
        image_size: Height and width of the images, in pixels, >= 1.
        channels: Channels of the images.
        classes: Number of logits.
        seed: Integer from which the initial weights follow.

    Returns:
        Model from float (batch, size, size, channels) in [-1, 1] to float32 (batch, classes).
    """
    draw = WeightSeeds(seed, random_streams.CLASSIFIER_WEIGHTS)

    def initializer():
        return keras.initializers.HeNormal(seed=draw)  # He et al. 2015, for ReLU.

    images = x = keras.Input((image_size, image_size, channels), name="images")
    size, filters = image_size, FILTERS
    while True:
        x = layers.Conv2D(
            filters, 3, padding="same", use_bias=False, kernel_initializer=initializer()
        )(x)
        # Keras' momentum of 0.99 would lag behind the few steps that small data sets take.
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
        size, filters = -(-size // 2), min(2 * filters, MOST_FILTERS)
        if size <= SMALLEST:
            break
    x = layers.Flatten()(x)
    x = layers.Dense(FEATURES, kernel_initializer=initializer(), name=FEATURE_LAYER)(x)
    x = layers.ReLU()(x)
    logits = layers.Dense(classes, kernel_initializer=initializer(), name="logits")(x)
    return keras.Model(images, logits, name="classifier")


def make(config: Config, path: str | Path, epochs: int | None = None) -> Classifier:
    """Trains a classifier, tests it and writes its file whole or not at all.

    It is tested on the data set's split `test`, or on a fifth of the images, chosen by the
    seed, that it is not trained on. What it computes follows from the arguments.

    Args:
        config: A Config; of it count `dataset`, `data_dir`, `image_size`, `channels`, `seed`.
        path: The file; its folder is made if it is missing.
        epochs: How often each image is seen; by default 3 times, or as often as makes 60,000.

    Returns:
        The Classifier, as read back from the file.

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
    network = build(config.image_size, config.channels, classes, config.seed)
    _fit(network, images, labels, epochs, config.seed)
    about = {
        "dataset": _absolute(config.dataset),
        "image_size": config.image_size,
        "channels": config.channels,
        "classes": classes,
        "accuracy": _accuracy(network, tests, test_labels),
        "tested_on": f"{tests.count:,} images, {tested_on}",
        "epochs": epochs,
        "seed": config.seed,
        "gan_keras": gan_keras.__version__,
    }
    if is_folder(config.dataset):  # Others' classes are always the same.
        about["class_names"] = images.class_names
    _write(path, network, about)
    return load(path)


def load(path: str | Path) -> Classifier:
    """Reads a classifier from its file.

    Raises:
        UserError: the file does not exist, or it is not a whole one of this version.
    """
    try:
        content = Path(path).read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            if about["version"] != VERSION:
                raise ValueError(f"version {about['version']}, not {VERSION}")
            weights = [arrays[f"{i}"] for i in range(len(arrays.files) - 1)]
        network = build(about["image_size"], about["channels"], about["classes"], seed=0)
        network.set_weights(weights)
    # As in `feature_cache`: a flipped bit may reach any line of the readers of zip and npy.
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
        raise UserError(
            f"{path}: not a whole classifier of this version of gan_keras ({reason}); "
            "make it again with gan-keras-classifier"
        ) from None
    return Classifier(network, about, hashlib.sha256(content).hexdigest())


def default_path(dataset: str, image_size: int, channels: int) -> Path:
    """Where the classifier of a data set is kept, in `cache_folder()`.

    That of stacked digits is that of the digits, which reads each channel.
    """
    if dataset == data.STACKED:
        dataset, channels = data.STACKED_DIGITS, 1
    name = _absolute(dataset)
    label = re.sub(r"\W+", "-", name)[-40:].strip("-")
    if label != name:  # Others may be shortened to the same.
        label += "-" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    file = f"{label}-{image_size}x{image_size}x{channels}.npz"
    return cache_folder() / "classifiers" / file


def cache_folder() -> Path:
    """What can be made again is kept in $XDG_CACHE_HOME/gan_keras.

    $XDG_CACHE_HOME is ~/.cache if it is not set, or not absolute.
    Reference: https://specifications.freedesktop.org/basedir-spec/latest/

    Raises:
        UserError: neither it nor $HOME is set, and the user has no entry in the system's list.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (cache if cache.is_absolute() else Path.home() / ".cache") / "gan_keras"
    except RuntimeError:
        raise UserError(
            "XDG_CACHE_HOME: not set, and the user has no home folder; set it to a folder for "
            "classifiers and features"
        ) from None


def extractor_for(config: Config) -> str:
    """Returns the features that images of this configuration can be scored in now.

    Args:
        config: A Config of images.

    Returns:
        `classifier` where the data set has its classifier, or has classes to make it of;
        `pixels` elsewhere.
    """
    try:
        if default_path(config.dataset, config.image_size, config.channels).is_file():
            return "classifier"
        classes = data.class_names(config)
    except UserError:  # It has none, or cannot be had now, or a classifier has no place.
        return "pixels"
    return "classifier" if len(classes) > 1 else "pixels"


def command(dataset: str, image_size: int, channels: int, data_dir: str = "") -> str:
    """Returns the command line that makes the classifier at `default_path`."""
    words = [f"--dataset={dataset}", f"--image_size={image_size}", f"--channels={channels}"]
    words += [f"--data_dir={data_dir}"] if data_dir else []
    return shlex.join(["gan-keras-classifier", *words])


def is_folder(dataset):
    """Whether a data set is a folder of pictures, which a person may change."""
    return dataset.startswith(folder.PREFIX)


def of_other_classes(about, config):
    """Whether a classifier's `about` names other classes than its folder has by now."""
    names = about.get("class_names")  # Older files have none.
    if names is None or about["dataset"] != _absolute(config.dataset):
        return False
    try:
        return names != data.class_names(config)
    except UsageError:  # It has no classes any more.
        return True


def _absolute(dataset):
    """The name of a data set that means the same in every working directory."""
    if not is_folder(dataset):
        return dataset
    return folder.PREFIX + os.path.abspath(folder.path_of(dataset))


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
    right, judge = 0, Classifier(network, {}, "")
    for first in range(0, images.count, 2 * BATCH):
        numbers = np.arange(first, min(first + 2 * BATCH, images.count))
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


def _write(path, network, about):
    """Writes the file: `about` as JSON, and the weights.

    numpy's archives have no date in them, unlike Keras': the same training gives the same
    bytes, and so the same SHA-256. They hold no code either.
    """
    buffer = io.BytesIO()
    weights = {f"{i}": weight for i, weight in enumerate(network.get_weights())}
    np.savez(buffer, about=np.array(json.dumps({"version": VERSION, **about})), **weights)
    try:
        files.write(path, buffer.getvalue())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {files.why(error)}") from None
