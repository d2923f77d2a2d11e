"""A small classifier of a data set's own classes, whose features judge generated images.

Features of ImageNet say little about digits, and their weights have to be downloaded. These are
learnt offline, in minutes, from the data set that the GAN learns.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from gan_keras import files
from gan_keras.config import random_streams
from gan_keras.errors import UserError
from gan_keras.networks import WeightSeeds

FEATURES = 128
FEATURE_LAYER = "features"
FILTERS, MOST_FILTERS = 32, 128
SMALLEST = 4  # Pixels; a larger picture is halved once more before the dense layers.
BATCH = 256  # Images that `classes` looks at in one call.

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
        for first in range(0, len(images), BATCH):
            part = slice(first, first + BATCH)
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


def save(path: str | Path, network: keras.Model, about: dict) -> None:
    """Writes the file of a classifier, whole or not at all: `about` as JSON, and the weights.

    numpy's archives have no date in them, unlike Keras': the same training gives the same
    bytes, and so the same SHA-256. They hold no code either.

    Args:
        path: The file, in a folder that exists.
        network: What `build` made, trained.
        about: As of `Classifier`.

    Raises:
        UserError: it cannot be written.
    """
    buffer = io.BytesIO()
    weights = {f"{i}": weight for i, weight in enumerate(network.get_weights())}
    np.savez(buffer, about=np.array(json.dumps({"version": VERSION, **about})), **weights)
    try:
        files.write(path, buffer.getvalue())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {files.why(error)}") from None


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
