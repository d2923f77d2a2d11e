"""The signatures as functions, without a SavedModel."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.testing import assert_array_equal

from gan_keras.exporting import contract
from gan_keras.exporting.served import Served


def test_a_lone_row_has_the_bytes_that_it_has_in_a_batch():
    """Of perceptrons as well: a product of one row and a large matrix is rounded otherwise."""
    keras.utils.set_random_seed(0)
    generator = keras.Sequential(
        [
            keras.Input((100,)),
            layers.Dense(256, "relu"),
            layers.Dense(512, "relu"),
            layers.Dense(784, "tanh"),
            layers.Reshape((28, 28, 1)),
        ]
    )
    generate = Served(generator, "normal").signatures()[contract.LATENTS_SIGNATURE]

    def images(latents):
        return generate(tf.constant(latents))[contract.IMAGES].numpy()

    latents = np.random.default_rng(0).standard_normal((12, 100), np.float32)
    together = images(latents)
    for size in (1, 2, 3, 4):
        apart = [images(latents[n : n + size]) for n in range(0, 12, size)]
        assert_array_equal(np.concatenate(apart), together)
