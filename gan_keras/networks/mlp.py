"""Multi-layer perceptrons: the plainest networks that play the game."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from gan_keras.config.random_streams import DISCRIMINATOR_WEIGHTS, GENERATOR_WEIGHTS
from gan_keras.networks import labels
from gan_keras.networks.initial_weights import WeightSeeds


def generator(
    shape: Sequence[int], latent_dim: int, width: int, seed: int, classes: int = 0
) -> keras.Model:
    """latent_dim -> width -> 2 width -> pixels, leaky ReLU between, tanh at the end.

    Args:
        shape: (height, width, channels) of the images.
        latent_dim: Length of a latent vector.
        width: Units of the first hidden layer.
        seed: Integer from which the initial weights follow.
        classes: Number of classes, whose labels are a second input; 0: none.

    Returns:
        Model from float (batch, latent_dim), with labels int64 (batch,) if there are classes, to
        float32 (batch, height, width, channels).
    """
    draw = WeightSeeds(seed, GENERATOR_WEIGHTS)
    inputs, x = labels.inputs(latent_dim, classes)
    for units in (width, 2 * width):
        x = layers.Dense(units, kernel_initializer=_initializer(draw))(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Dense(math.prod(shape), kernel_initializer=_initializer(draw))(x)
    # Under a mixed precision policy the pixels are float32 all the same.
    x = layers.Activation("tanh", dtype="float32")(x)
    images = layers.Reshape(shape, dtype="float32")(x)
    return keras.Model(inputs, images, name="generator")


def discriminator(shape: Sequence[int], width: int, seed: int) -> keras.Model:
    """The generator's mirror: pixels -> 2 width -> width -> one logit.

    Args:
        shape: (height, width, channels) of the images.
        width: Units of the last hidden layer.
        seed: Integer from which the initial weights follow.

    Returns:
        Model from float (batch, height, width, channels) to float32 logits (batch, 1).
    """
    draw = WeightSeeds(seed, DISCRIMINATOR_WEIGHTS)
    images = keras.Input(shape, name="images")
    x = layers.Flatten()(images)
    for units in (2 * width, width):
        x = layers.Dense(units, kernel_initializer=_initializer(draw))(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    logits = layers.Dense(1, dtype="float32", kernel_initializer=_initializer(draw))(x)
    return keras.Model(images, logits, name="discriminator")


def _initializer(draw):
    return keras.initializers.GlorotUniform(seed=draw)
