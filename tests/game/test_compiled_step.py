"""The step that XLA compiles: the same numbers up to rounding, and nothing kept of a sick one."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras import networks
from gan_keras.config import random_streams as streams
from gan_keras.data.pipeline import untuned
from gan_keras.game import ConditionalGAN, compiled_step
from gan_keras.game import finite_check as health
from gan_keras.game.priors import COMPILED, PRIORS
from tests.game import test_finite_check as tiny
from tests.game.test_average import overflowing


@pytest.mark.parametrize("stream", [0, streams.REAL_NOISE, streams.ANSWER_NOISE])
@pytest.mark.parametrize("name", PRIORS)
def test_xla_draws_what_tensorflow_draws(name, stream):
    """Streams lie 2^32 and more apart, of which XLA's own seeds would keep nothing."""
    prior, shape, seed = PRIORS[name], (5, 3), tf.constant([stream + 7, 2**33 + 1], tf.int64)
    compiled = tf.function(lambda s: COMPILED[prior](shape, s), jit_compile=True)(seed)
    # Of float32, whose logarithms, roots and sines are off by a unit in the last place or two.
    assert_allclose(compiled, prior(shape, seed), rtol=1e-6, atol=3e-6)
    assert_allclose(COMPILED[prior](shape, seed), prior(shape, seed), rtol=1e-6, atol=3e-6)


def variables(gan):
    """All variables, by their names without the numbers that Keras gives to each further layer."""
    found = {}
    for variable in compiled_step.variables(gan):
        name = re.sub(r"_\d+(?=_|\b)", "", variable.path)
        while name in found:
            name += "'"
        found[name] = variable.numpy()
    return found


def labelled(jit_compile):
    """All of a step: convolutions, labels, noise, both penalties in every other step, average."""
    generator, discriminator = networks.build(
        "plain", shape=(8, 8, 1), latent_dim=3, width=4, seed=0, classes=3
    )
    gan = ConditionalGAN(
        generator,
        discriminator,
        instance_noise=0.1,
        instance_noise_steps=9,
        ema_decay=0.5,
        r1_weight=0.3,
        r2_weight=0.2,
        penalty_every=2,
    )
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), 2, jit_compile)
    return gan


def test_a_compiled_step_is_the_step():
    draws = np.random.default_rng(0)
    images = draws.uniform(-1, 1, (4, 6, 8, 8, 1)).astype("float32")
    data = untuned(tf.data.Dataset.from_tensor_slices((images, draws.integers(0, 3, (4, 6)))))
    states = []
    for gan in (labelled(False), labelled(True)):
        gan.fit(data, steps_per_epoch=4, verbose=0, shuffle=False)
        states.append(variables(gan))
    assert gan.step == 4
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        # Four steps of gradient descent at 0.1: they carry roundings on, and amplify none.
        assert_allclose(states[1][name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def compiled():
    gan = tiny.make()
    gan.compile(gan.generator_optimizer, gan.discriminator_optimizer, jit_compile=True)
    return gan


def test_a_step_that_is_not_finite_leaves_nothing_behind():
    """In the middle of a call: weights, moments, averages, counters and metrics."""
    sick, healthy = compiled(), compiled()
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tiny.fit(sick, 6, tiny.batches(sick=3))
    found = health.NotFinite.of(caught.value)
    assert (found.what, found.step) == ("d_loss", 3)
    tiny.fit(healthy, 2, tiny.batches())
    one, other = variables(sick), variables(healthy)
    assert one.keys() == other.keys()
    for name, value in other.items():
        assert_array_equal(one[name], value, err_msg=name)


@pytest.mark.faults
def test_what_is_not_finite_in_g_alone_is_found_as_well():
    gan = compiled()
    kernel = gan.generator.layers[1].kernel
    kernel.assign(kernel * 1e25)
    before = variables(gan)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tiny.fit(gan, 1, tiny.batches())
    assert health.NotFinite.of(caught.value).what == "a batch statistic behind g_loss"
    for name, value in variables(gan).items():
        assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.faults
def test_many_steps_per_call_change_no_bit():
    one, many = compiled(), compiled()
    one.fit(tiny.batches(), steps_per_epoch=6, verbose=0, shuffle=False)
    tiny.fit(many, 6, tiny.batches())
    one, many = variables(one), variables(many)
    for name, value in one.items():
        assert_array_equal(many[name], value, err_msg=name)


@pytest.mark.faults
def test_a_step_that_float16_leaves_out_is_left_out():
    gan, before = overflowing(d_scale=2.0**4, g_scale=2.0**40, jit_compile=True)
    assert_array_equal(gan.ema_generator.get_weights()[0], before["average"][0])
    assert_array_equal(gan.generator.get_weights()[0], before["generator"][0])
    assert np.any(gan.discriminator.get_weights()[0] != before["discriminator"][0])
    assert gan.step == 1
    assert float(gan.generator_optimizer.dynamic_scale) == 2.0**39


def test_replicas_cannot_share_it():
    """Nor can one that a strategy for many has: at its first update it would fail."""
    two = type("Two", (), {"num_replicas_in_sync": 2})
    for strategy in (two, tf.distribute.MirroredStrategy(["CPU:0"])):
        gan = type("Gan", (), {"distribute_strategy": strategy})
        with pytest.raises(ValueError, match="for one device"):
            compiled_step.loop(gan)


def test_it_is_saved_with_the_model():
    again = tiny.make()
    again.compile_from_config(compiled().get_compile_config())
    assert again.jit_compile is True
