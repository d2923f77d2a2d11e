"""Penalties against finite differences in float64, through our own gradients of layers."""

import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose

from gan_keras.game import penalties
from gan_keras.networks import convolution

RANDOM = np.random.default_rng(1)
IMAGES = tf.constant(RANDOM.normal(size=(3, 8, 8, 2)))
KERNELS = [tf.Variable(RANDOM.normal(size=(4, 4, *sizes))) for sizes in ((2, 3), (3, 2))]
BIAS = tf.Variable(RANDOM.normal(size=3))


def judge(images):
    """A smooth D: what `HalvingConv2D` computes, with a tanh between."""
    hidden = tf.tanh(convolution.add_bias(convolution.halve(images, KERNELS[0]), BIAS) / 5)
    return tf.reduce_sum(tf.sin(convolution.halve(hidden, KERNELS[1])), axis=(1, 2, 3))[:, None]


def test_the_penalty_is_half_the_squared_slope():
    step, count = 1e-5, IMAGES[0].shape.num_elements()
    slopes = np.empty((3, count))
    for i in range(count):
        shift = step * np.eye(count)[i].reshape(1, 8, 8, 2)
        slopes[:, i] = ((judge(IMAGES + shift) - judge(IMAGES - shift)) / (2 * step)).numpy()[:, 0]
    found = penalties.zero_centred(judge, IMAGES).numpy()
    assert_allclose(found, 0.5 * np.sum(slopes**2, axis=1), rtol=1e-7)


def test_its_gradients_are_right_through_the_layers_with_gradients_of_their_own():
    variables = [*KERNELS, BIAS]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(penalties.zero_centred(judge, IMAGES))
    gradients = tape.gradient(loss, variables)
    step = 1e-5
    for variable, gradient in zip(variables, gradients, strict=True):
        direction = RANDOM.normal(size=variable.shape)
        ends = []
        for sign in (1, -1):
            variable.assign_add(sign * step * direction)
            ends.append(float(tf.reduce_sum(penalties.zero_centred(judge, IMAGES))))
            variable.assign_sub(sign * step * direction)
        expected = (ends[0] - ends[1]) / (2 * step)
        assert_allclose(np.sum(gradient * direction), expected, rtol=1e-6)
