"""Schedules and momentum, against the recurrences written out in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_keras.game import optimizers

ARGUMENTS = {
    "learning_rate": 0.1,
    "learning_rate_decay": 1.0,
    "beta_1": 0.5,
    "momentum": 0.5,
    "final_momentum": 0.7,
    "ramp": 4,
}


def build(name, **changes):
    return optimizers.build(name, **{**ARGUMENTS, **changes})


def test_rate_is_divided_after_every_step_down_to_a_floor():
    rate = optimizers.ExponentialDecay(0.1, 1.000004)
    for step in (0, 1, 1000, 125_000):
        np.testing.assert_allclose(float(rate(step)), 0.1 / 1.000004**step, rtol=1e-6)
    # log(1e5) / log(1.000004) = 2.88 million steps to the floor.
    assert float(rate(2_878_000)) > 1e-6
    assert float(rate(2_879_000)) == pytest.approx(1e-6, rel=1e-6)


def test_momentum_rises_in_a_line_and_stays():
    """Six steps of a ramp of four, with gradients that differ from step to step."""
    weight = keras.Variable(np.array([1.0, -2.0], "float32"))
    optimizer = build("momentum", learning_rate_decay=1.25)
    optimizer.build([weight])
    expected, velocity = np.array([1.0, -2.0]), np.zeros(2)
    for step in range(6):
        gradient = np.array([step + 1.0, 3.0 - step])
        optimizer.apply([tf.constant(gradient, tf.float32)], [weight])
        momentum = (0.5, 0.55, 0.6, 0.65, 0.7, 0.7)[step]
        velocity = momentum * velocity - 0.1 / 1.25**step * gradient
        expected = expected + velocity
        np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("momentum", [0.7, 0.0])
def test_momentum_without_a_ramp_is_gradient_descent_of_keras(momentum):
    ours, reference = (keras.Variable(np.array([1.0, -2.0], "float32")) for _ in range(2))
    pairs = (
        (ours, build("momentum", momentum=momentum, final_momentum=momentum)),
        (reference, keras.optimizers.SGD(0.1, momentum=momentum)),
    )
    for variable, optimizer in pairs:
        optimizer.build([variable])
        for step in range(5):
            optimizer.apply([tf.constant([1.0, step - 2.0])], [variable])
    np.testing.assert_allclose(ours.numpy(), reference.numpy(), rtol=1e-6)


@pytest.mark.parametrize("decay", [1.0, 1.25])
def test_adam_is_that_of_keras(decay):
    """Twenty steps whose gradients differ by three orders of magnitude, and one that is zero."""
    rate = optimizers.ExponentialDecay(0.1, decay) if decay > 1 else 0.1
    ours, reference = (keras.Variable(np.array([1.0, -2.0, 3.0], "float32")) for _ in range(2))
    pairs = (
        (ours, build("adam", learning_rate_decay=decay)),
        (reference, keras.optimizers.Adam(rate, 0.5)),
    )
    for variable, optimizer in pairs:
        optimizer.build([variable])
        for step in range(20):
            optimizer.apply([tf.constant([1.0, (step - 2.0) * 1e-3, 0.0])], [variable])
    # The operator has 1 - 0.999 in float32: off by 6e-8 / 1e-3. Half of that goes into each of
    # twenty updates of 0.1.
    np.testing.assert_allclose(ours.numpy(), reference.numpy(), atol=6e-5)
    for a, b in zip(pairs[0][1].variables, pairs[1][1].variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=6e-5)


@pytest.mark.parametrize("decay", [1.0, 1.5])
@pytest.mark.parametrize("name", ["adam", "momentum"])
def test_an_optimizer_survives_serialization(name, decay):
    optimizer = build(name, learning_rate_decay=decay)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()


def test_a_rate_that_stays_is_a_plain_number():
    assert float(build("adam").learning_rate) == pytest.approx(0.1)


def test_half_a_cosine_from_the_rate_to_nothing():
    optimizer = build("adam", cosine_steps=8, beta_2=0.9)
    weight = keras.Variable(np.zeros(1, "float32"))
    optimizer.build([weight])
    expected, first, second = 0.0, 0.0, 0.0
    for step in range(10):
        gradient = 1.0 + step
        optimizer.apply([tf.constant([gradient])], [weight])
        first, second = 0.5 * first + 0.5 * gradient, 0.9 * second + 0.1 * gradient**2
        rate = 0.1 * (1 + np.cos(np.pi * min(step / 8, 1))) / 2
        n = step + 1
        expected -= rate * (first / (1 - 0.5**n)) / np.sqrt(second / (1 - 0.9**n))
        np.testing.assert_allclose(weight.numpy(), [expected], rtol=1e-5)
