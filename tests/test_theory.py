"""The closed forms against the paper's statements, and against each other."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from gan_keras import theory
from gan_keras.game import losses

CELL = 0.002
X = np.arange(-12, 12, CELL)


def normal(mean, deviation):
    return np.exp(-(((X - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))


def uniform(low, high):
    return np.where((low <= X) & (high > X), 1 / (high - low), 0.0)


DATA, OTHER = normal(0, 1), normal(1, 1.5)


def test_kl_of_two_gaussians():
    """log(s2/s1) + (s1^2 + (m1 - m2)^2) / (2 s2^2) - 1/2, by integration by hand."""
    expected = np.log(1.5) + (1 + 1) / (2 * 1.5**2) - 0.5
    assert_allclose(theory.kl(DATA, OTHER, CELL), expected, rtol=1e-6)
    assert theory.kl(uniform(0, 2), uniform(0, 1), CELL) == np.inf


def test_the_discriminator_s_cross_entropy_is_minus_the_value():
    """Statement 2, on densities and with the loss that training uses."""
    d_star = theory.optimal_discriminator(DATA, OTHER)
    logits = np.log(d_star) - np.log1p(-d_star)
    zero = np.zeros_like(logits)
    # The loss adds both halves: each is had by giving the other a logit of 0, which is log 2.
    real = losses.discriminator_loss(logits, zero).numpy() - np.log(2)
    fake = losses.discriminator_loss(zero, logits).numpy() - np.log(2)
    cross_entropy = CELL * np.sum(DATA * real + OTHER * fake)
    assert_allclose(cross_entropy, -theory.value(d_star, DATA, OTHER, CELL), rtol=1e-6)


@pytest.mark.parametrize("shift", [-0.2, -0.01, 0.01, 0.2])
def test_no_discriminator_does_better_than_the_optimal_one(shift):
    """Statement 5; and statement 6's bound: (V + log 4) / 2 <= JSD for any D."""
    best = theory.optimal_discriminator(DATA, OTHER)
    worse = np.clip(best + shift, 0.001, 0.999)
    assert theory.value(worse, DATA, OTHER, CELL) < theory.value(best, DATA, OTHER, CELL)
    bound = (theory.value(worse, DATA, OTHER, CELL) + theory.LOG_4) / 2
    assert bound < theory.jsd(DATA, OTHER, CELL)


def test_the_cost_is_the_value_of_the_optimal_discriminator():
    """Statement 6: the two are computed in different ways."""
    best = theory.optimal_discriminator(DATA, OTHER)
    assert_allclose(
        theory.generator_cost(DATA, OTHER, CELL),
        theory.value(best, DATA, OTHER, CELL),
        rtol=1e-9,
    )


def test_where_it_ends():
    """Statement 7: p_g = p_data, and nowhere else."""
    assert theory.jsd(DATA, DATA, CELL) == 0
    assert_allclose(theory.generator_cost(DATA, DATA, CELL), -np.log(4))
    assert_allclose(theory.optimal_discriminator(DATA, DATA), 0.5)
    assert theory.jsd(DATA, normal(0.1, 1), CELL) > 1e-4


def test_disjoint_supports_are_where_the_maximum_is():
    """Statement 8: the question that the seed leaves open."""
    data, generated = uniform(0, 1), uniform(3, 5)
    best = theory.optimal_discriminator(data, generated)
    assert_allclose(theory.jsd(data, generated, CELL), np.log(2), rtol=1e-9)
    assert_allclose(theory.value(best, data, generated, CELL), 0, atol=1e-12)
    assert_allclose(theory.generator_cost(data, generated, CELL), 0, atol=1e-9)
    assert np.all(best[data > 0] == 1)
    assert np.all(best[generated > 0] == 0)
    assert np.all(best[(data == 0) & (generated == 0)] == 0.5)


def test_far_apart_the_minimax_gradient_vanishes_and_the_other_survives():
    """Statement 8: data N(4, 0.5^2), generator N(0, 0.5^2), the best D for both.

    Its logit log p_data - log p_g is (8x - 16) / (2 * 0.5^2), with derivative 16: so the losses'
    derivatives at x are -16 D and -16 (1 - D).
    """
    x = tf.constant([[-0.5], [0.0], [0.5]])
    gradients = {}
    for name, loss in (("minimax", losses.minimax), ("non_saturating", losses.non_saturating)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(loss((8 * x - 16) / (2 * 0.5**2)))
        gradients[name] = tape.gradient(total, x)
    assert np.abs(gradients["minimax"]).max() < 1e-8
    assert_allclose(gradients["non_saturating"], np.full((3, 1), -16), rtol=1e-6)


def test_on_a_plane():
    """Two axes: a product of densities; KL adds up over independent axes."""
    x = np.arange(-8, 8, 0.05)
    one = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    other = np.exp(-((x - 1) ** 2) / 2) / np.sqrt(2 * np.pi)
    plane = theory.kl(np.outer(one, one), np.outer(other, other), 0.05**2)
    assert_allclose(plane, 2 * 0.5, rtol=1e-6)


def test_the_best_logit_of_pairs_is_that_of_d_star_up_to_a_constant():
    """Step 11: V + log 2 is then the JSD of the two densities of pairs, and no l does better."""
    cell, x = 0.05, np.arange(-8, 8, 0.05)
    data = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    other = np.exp(-(((x - 1) / 1.2) ** 2) / 2) / (1.2 * np.sqrt(2 * np.pi))
    best = np.log(data) - np.log(other)
    value = theory.pair_value(best, data, other, cell)
    pairs = np.multiply.outer(data, other)
    divergence = theory.jsd(pairs, pairs.T, cell**2)
    assert_allclose(value + np.log(2), divergence, rtol=1e-6)
    assert_allclose(theory.pair_value(best + 3, data, other, cell), value, rtol=1e-9)
    for worse in (0.5 * best, 2 * best, best + 0.3 * np.sin(x)):
        assert theory.pair_value(worse, data, other, cell) < value - 1e-3
    # It says more than one example alone does.
    assert divergence > theory.jsd(data, other, cell)
    assert theory.pair_value(0 * x, data, other, cell) == pytest.approx(-np.log(2), abs=1e-6)
