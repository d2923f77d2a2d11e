"""From images to the features in which real and generated ones are compared.

Scores compare only with scores by the same extractor: `describe` goes into every record.
"""

import contextlib
import hashlib
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gan_keras import config as configs
from gan_keras import data
from gan_keras.errors import UsageError, UserError
from gan_keras.evaluation import classifier, classifier_files, classifier_training

logger = logging.getLogger(__name__)

# Named, placed and checked as `keras.applications.InceptionV3` does it; the MD5 is Keras'.
INCEPTION_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
INCEPTION_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/" + INCEPTION_FILE
)
INCEPTION_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"
INCEPTION_SIZE = 299  # Pixels; Szegedy et al. 2015, https://arxiv.org/abs/1512.00567
SILENCE = 10  # Seconds that a server may say nothing while the weights are downloaded.


@dataclass(frozen=True)
class Extractor:
    """A function from images to features, and what identifies it.

    Attributes:
        name: A key of `EXTRACTORS`.
        dimensions: Features per image.
        sha256: Of the file of its weights, hexadecimal; None if it has no weights.
        batch_size: Images per call of the function, so that memory stays bounded.
    """

    name: str
    dimensions: int
    sha256: str | None
    batch_size: int
    function: Callable = field(repr=False)
    about: dict = field(repr=False)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Computes features.

        Args:
            images: (n, height, width, channels) uint8.

        Returns:
            (n, dimensions) float32.
        """
        features = np.empty((len(images), self.dimensions), np.float32)
        for first in range(0, len(images), self.batch_size):
            part = slice(first, first + self.batch_size)
            features[part] = self.function(images[part])
        return features

    def describe(self) -> dict:
        """Returns what a record has to say about the features, as a dict for JSON."""
        named = {"name": self.name, "sha256": self.sha256, "dimensions": self.dimensions}
        return {**named, **self.about}


def load(
    name: str,
    *,
    dataset: str,
    image_size: int,
    channels: int,
    path: str | Path | None = None,
    data_dir: str = "",
) -> Extractor:
    """Returns an extractor by its name.

    Args:
        name: A key of `EXTRACTORS`.
        dataset: The data set whose classifier is wanted.
        image_size: Height and width of the images, in pixels.
        channels: 1 or 3.
        path: File of the classifier; by default `classifier_files.default_path`.
        data_dir: As the flag, for the command that a message may name.

    Raises:
        UsageError: unknown extractor or file, a classifier of other images, or a data set without
            classes to train one on.
        UserError: the classifier's file is corrupt, or weights cannot be had now.
    """
    if name not in EXTRACTORS:
        raise UsageError(f"--extractor={name}: choose from {', '.join(EXTRACTORS)}")
    if path and name != "classifier":
        raise UsageError(f"--classifier={path}: the extractor is {name}, which takes no file")
    return EXTRACTORS[name](dataset, image_size, channels, path, data_dir)


def _classifier(dataset, image_size, channels, path, data_dir):
    """The 128 features of a classifier that was trained on the data set's own labels."""
    stacked = dataset == data.STACKED
    if stacked:
        dataset, channels = data.STACKED_DIGITS, 1
    found = classifier_of(dataset, image_size, channels, data_dir, path)
    features = found.features
    file = Path(path or classifier_files.default_path(dataset, image_size, channels))
    each = 3 if stacked else 1  # A classifier of digits reads the channels one after the other.

    @tf.function(
        input_signature=[tf.TensorSpec([None, image_size, image_size, each * channels], tf.uint8)]
    )
    def extract(images):
        pixels = tf.cast(images, tf.float32) / 127.5 - 1.0
        return tf.concat(
            [features(part, training=False) for part in tf.split(pixels, each, axis=-1)], axis=-1
        )

    return Extractor(
        "classifier",
        each * classifier.FEATURES,
        found.sha256,
        256,
        extract,
        {
            "weights": file.name,
            "trained_on": found.about["dataset"],
            "accuracy": found.about["accuracy"],
            "resize": None,
            "note": "the inputs of the last hidden layer's ReLU; compare only scores by the "
            "same file, as its SHA-256 tells" + ("; of each channel" if stacked else ""),
        },
    )


def classifier_of(dataset, image_size, channels, data_dir="", path=None):
    """Returns the classifier of a data set, which is trained if it is not there.

    Args:
        dataset: As of `load`, and so are the others.

    Raises:
        UsageError, UserError: as `load`.
    """
    images = dataset, image_size, channels
    file = Path(path or classifier_files.default_path(*images))
    make = classifier_files.command(dataset, image_size, channels, data_dir)
    if path and not os.path.isfile(path):  # Unlike pathlib's, it takes a name that is too long.
        raise UsageError(f"--classifier={path}: file not found; make the usual one with: {make}")
    found = classifier.load(file) if file.is_file() else _made(file, *images, data_dir)
    about = found.about
    if (about["image_size"], about["channels"]) != (image_size, channels):
        made_for, wanted = (
            f"{size}x{size}x{depth}"
            for size, depth in ((about["image_size"], about["channels"]), (image_size, channels))
        )
        raise UsageError(
            f"--classifier={file}: is for images {made_for}, not {wanted}; "
            f"make another with: {make}"
        )
    config = configs.Config(dataset=dataset, image_size=image_size, channels=channels)
    if classifier_files.of_other_classes(about, config):
        raise UsageError(
            f"--classifier={file}: knows the classes {', '.join(about['class_names'])}, and "
            f"{dataset} has others now; make it anew with: {make}"
        )
    return found


def _made(file, dataset, image_size, channels, data_dir):
    """Trains the data set's classifier when it is first needed, and keeps it."""
    logger.info("%s has no classifier yet: training one, which is kept in %s", dataset, file)
    config = configs.Config(
        dataset=dataset, image_size=image_size, channels=channels, data_dir=data_dir
    )
    try:
        return classifier_training.make(config, file)
    except UsageError as error:
        reason = str(error).split(";")[0]
        raise UsageError(f"{reason}; choose --extractor=pixels or --extractor=inception") from None


def _inception(dataset, image_size, channels, path, data_dir):
    """The 2048 features of InceptionV3 as Keras distributes it, trained on ImageNet.

    Pixels are resized to 299x299, bilinear with antialiasing, grey is repeated to three
    channels, and all are scaled to [-1, 1]; the features are averaged over all places. The
    weights are the file `inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5`, MD5
    bcbd6486424b2319ff4ef7d526e38f63; `describe` has the SHA-256 of the file that was read.

    They are not the TensorFlow-1 weights (`inception-2015-12-05`) of published FIDs, and the
    resizing is another: numbers compare only with numbers by this extractor.
    """
    file = Path(_inception_weights())
    network = keras.applications.InceptionV3(include_top=False, weights=None, pooling="avg")
    network.load_weights(file)

    @tf.function(
        input_signature=[tf.TensorSpec([None, image_size, image_size, channels], tf.uint8)]
    )
    def extract(images):
        return network(inception_input(images), training=False)

    with open(file, "rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return Extractor(
        "inception",
        network.output_shape[-1],
        sha256,
        32,  # A batch's activations take about 1 GB.
        extract,
        {
            "weights": f"{file.name} of keras.applications, trained on ImageNet",
            "resize": f"{INCEPTION_SIZE}x{INCEPTION_SIZE}, bilinear, antialiased",
            "note": "not the TensorFlow-1 weights of published FIDs; compare only scores by "
            "this extractor",
        },
    )


def inception_input(images: np.ndarray) -> np.ndarray:
    """Resizes, colours and scales images as `inception` does it.

    Args:
        images: (n, height, width, 1 or 3) uint8.

    Returns:
        (n, 299, 299, 3) float32 in [-1, 1].
    """
    size = (INCEPTION_SIZE, INCEPTION_SIZE)
    resized = tf.image.resize(images, size, tf.image.ResizeMethod.BILINEAR, antialias=True)
    colour = tf.image.grayscale_to_rgb(resized) if images.shape[-1] == 1 else resized
    return colour / 127.5 - 1.0


def _inception_weights():
    """Returns the path of the weights, after a download if they are not there."""
    try:
        with _impatient():
            return keras.utils.get_file(
                INCEPTION_FILE, INCEPTION_URL, cache_subdir="models", file_hash=INCEPTION_MD5
            )
    except Exception as error:  # The network, the disk, a host's answer, another content.
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(
            f"--extractor=inception: {INCEPTION_FILE} is not in ~/.keras/models, and "
            f"downloading it failed: {reason}; put the file there, try again with a network, "
            "or choose --extractor=classifier"
        ) from None


@contextlib.contextmanager
def _impatient():
    """Lets no server keep a person waiting; Keras sets no limit of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _pixels(dataset, image_size, channels, path, data_dir):
    """The pixels themselves, from 0 to 1: what the Parzen window of the paper looks at."""

    def extract(images):
        return images.reshape(len(images), -1) / np.float32(255)

    return Extractor(
        "pixels",
        image_size * image_size * channels,
        None,
        4096,
        extract,
        {"weights": None, "resize": None, "note": "pixels in [0, 1], row after row"},
    )


EXTRACTORS = {"classifier": _classifier, "inception": _inception, "pixels": _pixels}
