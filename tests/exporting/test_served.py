"""The signatures as functions, without a SavedModel."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.testing import assert_array_equal

from gan_keras.exporting import contract
from gan_keras.exporting.served import Served


@pytest.mark.parametrize("classes", [(), ("a", "b", "c")])
def test_a_lone_row_has_the_bytes_that_it_has_in_a_batch(classes):
    """Of perceptrons as well: a product of one row and a large matrix is rounded otherwise."""
    keras.utils.set_random_seed(0)
    latents, label = keras.Input((100,)), keras.Input((), dtype="int64")
    inputs = [latents, label] if classes else [latents]
    x = layers.Concatenate()([latents, layers.Embedding(3, 8)(label)]) if classes else latents
    for units in (256, 512):
        x = layers.Dense(units, "relu")(x)
    images = layers.Reshape((28, 28, 1))(layers.Dense(784, "tanh")(x))
    served = Served(keras.Model(inputs, images), "normal", classes=classes)
    generate = served.signatures()[contract.LATENTS_SIGNATURE]
    rows = [np.random.default_rng(0).standard_normal((12, 100), np.float32)]
    rows += [np.arange(12) % 3] if classes else []

    def made(some):
        return generate(*(tf.constant(each[some]) for each in rows))[contract.IMAGES].numpy()

    together = made(slice(12))
    assert together.shape == (12, 28, 28, 1)
    for size in (1, 2, 3, 4):
        apart = [made(slice(n, n + size)) for n in range(0, 12, size)]
        assert_array_equal(np.concatenate(apart), together)


def test_what_goes_row_by_row_does_not_wait_for_a_gpu():
    """There each row of a loop takes as long as a batch."""
    latents, label = keras.Input((4,)), keras.Input((), dtype="int64")
    x = layers.Concatenate()([latents, layers.Embedding(2, 2)(label)])
    images = layers.Reshape((2, 2, 1))(layers.Dense(4)(x))
    served = Served(keras.Model([latents, label], images), "normal", classes=("a", "b"))
    for name in (
        contract.SEED_LATENTS_SIGNATURE,
        contract.SAMPLE_SIGNATURE,
        contract.PNG_SIGNATURE,
    ):
        graph = served.signatures()[name].get_concrete_function().graph
        loops = [operation for operation in graph.get_operations() if "While" in operation.type]
        assert loops
        assert all("CPU:0" in operation.device for operation in loops)
