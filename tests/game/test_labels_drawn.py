"""Classes that nobody asks for are drawn as often as they are in the data."""

import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras import networks
from gan_keras.game import class_at, draw_labels


def test_each_class_takes_its_frequency_of_room():
    chance = tf.constant([0.0, 0.19, 0.21, 0.49, 0.51, 0.9999999])
    drawn = class_at(chance, np.array([0.2, 0.3, 0.0, 0.5], np.float32))
    assert drawn.dtype == tf.int64
    assert_array_equal(drawn, [0, 0, 1, 1, 3, 3])


def test_what_rounding_leaves_is_the_last_classs():
    frequencies = np.full(10, 0.1, np.float32) - np.float32(1e-3)
    assert class_at(tf.constant(0.9999999), frequencies) == 9


def test_draws_have_the_frequencies():
    """5 standard deviations of a binomial share, which one of three passes but once in 10^6."""
    frequencies, count = np.array([0.7, 0.2, 0.1], np.float32), 10_000
    shares = np.bincount(draw_labels(count, frequencies, [0, 1])) / count
    deviations = np.sqrt(frequencies * (1 - frequencies) / count)
    assert np.all(np.abs(shares - frequencies) < 5 * deviations)


def test_a_generator_remembers_the_frequencies():
    generator, _ = networks.build(
        "plain", shape=(8, 8, 1), latent_dim=4, width=4, seed=0, classes=3
    )
    assert_allclose(networks.frequencies_of(generator), [1 / 3] * 3)
    networks.set_frequencies(generator, np.array([0, 0, 2, 0]))
    assert_allclose(networks.frequencies_of(generator), [0.75, 0.0, 0.25])
    plain, _ = networks.build("plain", shape=(8, 8, 1), latent_dim=4, width=4, seed=0)
    assert networks.frequencies_of(plain) is None


def test_draws_follow_from_the_seed():
    frequencies = np.array([0.7, 0.2, 0.1], np.float32)
    assert_array_equal(draw_labels(9, frequencies, [4, -2]), draw_labels(9, frequencies, [4, -2]))
    assert np.any(draw_labels(99, frequencies, [4, -2]) != draw_labels(99, frequencies, [5, -2]))
