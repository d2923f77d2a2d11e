"""Perceptrons for vectors of a few numbers: points on a line or in the plane."""

from collections.abc import Sequence

import keras
from keras import layers

from gan_keras.config.random_streams import DISCRIMINATOR_WEIGHTS, GENERATOR_WEIGHTS
from gan_keras.networks.initial_weights import WeightSeeds

HIDDEN_LAYERS = 3  # Two draw no borders sharp enough to keep 25 narrow Gaussians apart.
# Initial biases are uniform in +- this: with biases of 0 all units would bend at the same place,
# and on a line the discriminator would stay flat.
BIAS_RANGE = 0.5


def generator(shape: Sequence[int], latent_dim: int, width: int, seed: int) -> keras.Model:
    """latent_dim -> width -> width -> width -> coordinates, rectifiers between, linear at the end.

    Args:
        shape: (length,) of a point.
        latent_dim: Length of a latent vector.
        width: Units of each hidden layer.
        seed: Integer from which the initial weights follow.

    Returns:
        Model from float (batch, latent_dim) to float32 (batch, length).
    """
    return _perceptron(
        latent_dim, layers.ReLU, shape[0], width, seed, GENERATOR_WEIGHTS, "generator"
    )


def discriminator(shape: Sequence[int], width: int, seed: int) -> keras.Model:
    """coordinates -> width -> width -> width -> one logit, leaky rectifiers between.

    Args:
        shape: (length,) of a point.
        width: Units of each hidden layer.
        seed: Integer from which the initial weights follow.

    Returns:
        Model from float (batch, length) to float32 logits (batch, 1).
    """
    return _perceptron(shape[0], _leaky, 1, width, seed, DISCRIMINATOR_WEIGHTS, "discriminator")


def _perceptron(inputs, activation, outputs, width, seed, stream, name):
    draw = WeightSeeds(seed, stream)

    first = x = keras.Input((inputs,))
    for _ in range(HIDDEN_LAYERS):
        x = layers.Dense(
            width,
            kernel_initializer=keras.initializers.LecunUniform(seed=draw),
            bias_initializer=keras.initializers.RandomUniform(-BIAS_RANGE, BIAS_RANGE, seed=draw),
        )(x)
        x = activation()(x)
    # Under a mixed precision policy what comes out is float32 all the same.
    initializer = keras.initializers.GlorotUniform(seed=draw)
    last = layers.Dense(outputs, dtype="float32", kernel_initializer=initializer)
    return keras.Model(first, last(x), name=name)


def _leaky():
    return layers.LeakyReLU(negative_slope=0.2)
