"""The networks as a user of Keras writes them: layers with their defaults."""

import contextlib
import math

import keras
from keras import layers

from benchmarks import workload


@contextlib.contextmanager
def policy(dtype):
    """Sets Keras' dtype policy for what is built inside."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def dcgan():
    """Returns the generator and the discriminator, whose output is a logit."""
    generator = keras.Sequential(
        [
            keras.Input((workload.LATENT_DIM,)),
            layers.Dense(7 * 7 * 128, use_bias=False),
            layers.Reshape((7, 7, 128)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(64, 4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same"),
            layers.Activation("tanh", dtype="float32"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input(workload.SHAPE),
            layers.Conv2D(64, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=workload.LEAK),
            layers.Conv2D(128, 4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=workload.LEAK),
            layers.Flatten(),
            layers.Dense(1, dtype="float32"),
        ]
    )
    return generator, discriminator


def mlp():
    """Returns the generator and the discriminator, whose output is a logit."""
    generator = keras.Sequential(
        [
            keras.Input((workload.LATENT_DIM,)),
            layers.Dense(256),
            layers.LeakyReLU(negative_slope=workload.LEAK),
            layers.Dense(512),
            layers.LeakyReLU(negative_slope=workload.LEAK),
            layers.Dense(math.prod(workload.SHAPE)),
            layers.Activation("tanh", dtype="float32"),
            layers.Reshape(workload.SHAPE, dtype="float32"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input(workload.SHAPE),
            layers.Flatten(),
            layers.Dense(512),
            layers.LeakyReLU(negative_slope=workload.LEAK),
            layers.Dense(256),
            layers.LeakyReLU(negative_slope=workload.LEAK),
            layers.Dense(1, dtype="float32"),
        ]
    )
    return generator, discriminator


NETWORKS = {"dcgan": dcgan, "mlp": mlp}


def plain(model):
    """Returns a copy of a model of this package by Keras' own layers: the same function."""

    def plainly(layer):
        return next(
            (
                kind.from_config(layer.get_config())
                for kind in (layers.BatchNormalization, layers.Conv2DTranspose, layers.Conv2D)
                if isinstance(layer, kind)
            ),
            layer,
        )

    copy = keras.models.clone_model(model, clone_function=plainly)
    copy.set_weights(model.get_weights())
    return copy


def adam():
    return keras.optimizers.Adam(workload.LEARNING_RATE, workload.BETA_1)
