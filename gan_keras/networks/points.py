"""Perceptrons for vectors of a few numbers: points on a line or in the plane."""

import keras
from keras import layers

HIDDEN_LAYERS = 3  # Two draw no borders sharp enough to keep 25 narrow Gaussians apart.


def generator(shape, latent_dim, width, seed):
    """latent_dim -> width -> width -> width -> coordinates, rectifiers between, linear at the end.

    Args:
        shape: (length,) of a point.
        latent_dim: Length of a latent vector.
        width: Units of each hidden layer.
        seed: Integer from which the initial weights follow.

    Returns:
        Model from float (batch, latent_dim) to float32 (batch, length).
    """
    return _perceptron(latent_dim, layers.ReLU, *shape, width, seed, "generator")


def discriminator(shape, width, seed):
    """coordinates -> width -> width -> width -> one logit, leaky rectifiers between.

    Args:
        shape: (length,) of a point.
        width: Units of each hidden layer.
        seed: Integer from which the initial weights follow.

    Returns:
        Model from float (batch, length) to float32 logits (batch, 1).
    """
    return _perceptron(*shape, _leaky, 1, width, seed, "discriminator")


def _perceptron(inputs, activation, outputs, width, seed, name):
    draw = keras.random.SeedGenerator(seed)

    def dense(units, **options):
        initializer = keras.initializers.GlorotUniform(seed=draw)
        return layers.Dense(units, kernel_initializer=initializer, **options)

    first = x = keras.Input((inputs,))
    for _ in range(HIDDEN_LAYERS):
        x = activation()(dense(width)(x))
    # Under a mixed precision policy what comes out is float32 all the same.
    return keras.Model(first, dense(outputs, dtype="float32")(x), name=name)


def _leaky():
    return layers.LeakyReLU(negative_slope=0.2)
