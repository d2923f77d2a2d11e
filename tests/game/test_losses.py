"""The losses against keras.losses, numpy and the closed forms of the paper."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from gan_keras.game import losses

RNG = np.random.default_rng(0)
REAL = RNG.normal(1, 2, (64, 1)).astype("float32")
FAKE = RNG.normal(-1, 2, (64, 1)).astype("float32")


def probability(logits):
    return 1 / (1 + np.exp(-logits.astype("float64")))


def test_discriminator_loss_is_keras_binary_cross_entropy_of_both_halves():
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    expected = bce(np.ones_like(REAL), REAL) + bce(np.zeros_like(FAKE), FAKE)
    actual = keras.ops.mean(losses.discriminator_loss(REAL, FAKE))
    assert_allclose(actual, expected, rtol=1e-6)


def test_discriminator_loss_is_minus_the_value_of_the_game():
    value = np.log(probability(REAL)).mean() + np.log(1 - probability(FAKE)).mean()
    assert_allclose(-keras.ops.mean(losses.discriminator_loss(REAL, FAKE)), value, rtol=1e-6)


def test_discriminator_loss_where_d_knows_nothing_is_log_4():
    zero = np.zeros((3, 1), "float32")
    assert_allclose(losses.discriminator_loss(zero, zero), np.full((3, 1), np.log(4)), rtol=1e-6)


def test_generator_losses_are_their_formulas():
    assert_allclose(losses.non_saturating(FAKE), -np.log(probability(FAKE)), rtol=1e-5)
    assert_allclose(losses.minimax(FAKE), np.log(1 - probability(FAKE)), rtol=1e-5)


def test_losses_of_pairs_are_their_formulas():
    right = probability(REAL - FAKE)
    assert_allclose(losses.relativistic_discriminator(REAL, FAKE), -np.log(right), rtol=1e-5)
    assert_allclose(losses.relativistic_generator(REAL, FAKE), -np.log(1 - right), rtol=1e-5)
    d_real, d_fake = losses.pair_probabilities(REAL, FAKE)
    assert_allclose(d_real, right, rtol=1e-5)
    assert_allclose(d_fake, 1 - right, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", losses.OBJECTIVES)
def test_where_d_knows_nothing_each_term_is_log_2(name):
    objective, zero = losses.OBJECTIVES[name], np.zeros((3, 1), "float32")
    expected = np.full((3, 1), objective.terms * np.log(2))
    assert_allclose(objective.discriminator(zero, zero), expected, rtol=1e-6)
    for given in objective.probabilities(zero, zero):
        assert_allclose(given, np.full((3, 1), 0.5))


@pytest.mark.parametrize("name", ["non_saturating", "minimax"])
def test_generator_losses_fall_as_d_is_fooled(name):
    """d loss / d logit is -(1 - D) for one and -D for the other."""
    import tensorflow as tf

    logits = tf.constant(FAKE)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = losses.OBJECTIVES[name].generator(logits)
    d = probability(FAKE)
    expected = {"non_saturating": d - 1, "minimax": -d}[name]
    assert_allclose(tape.gradient(loss, logits), expected, rtol=1e-4, atol=1e-7)


def test_losses_stay_finite_at_extreme_logits():
    extreme = np.array([[-1e4], [1e4]], "float32")
    assert_allclose(losses.discriminator_loss(extreme, extreme), [[1e4], [1e4]])
    assert_allclose(losses.non_saturating(extreme), [[1e4], [0]])
    assert_allclose(losses.minimax(extreme), [[0], [-1e4]])
    assert_allclose(losses.relativistic_discriminator(extreme, -extreme), [[2e4], [0]])
    assert_allclose(losses.relativistic_generator(extreme, -extreme), [[0], [2e4]])
