"""The average of G's weights, and all else that a step left out by float16 must leave alone."""

import keras
import pytest
from numpy.testing import assert_allclose

from tests.game import test_gan as small


def overflowing(d_scale, g_scale, **arguments):
    """A GAN after one step whose losses were scaled so, and the weights before it.

    2^40 is more than float16 holds, 2^4 is not.
    """
    gan = small.make(precision="float16", ema_decay=0.5, r1_weight=0.1)
    optimizers = [
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=scale)
        for scale in (g_scale, d_scale)
    ]
    gan.compile(*optimizers, **arguments)
    networks = {
        "average": gan.ema_generator,
        "generator": gan.generator,
        "discriminator": gan.discriminator,
    }
    for weight in gan.ema_generator.weights:  # So that there is something to follow.
        weight.assign(weight + 1.0)
    before = {name: network.get_weights() for name, network in networks.items()}
    small.fit(gan, 1)
    return gan, before


def is_same(network, weights):
    return [bool((a == b).all()) for a, b in zip(network.get_weights(), weights, strict=True)]


@pytest.mark.parametrize(("d_scale", "g_scale"), [(2.0**4, 2.0**40), (2.0**40, 2.0**4)])
def test_a_step_that_is_left_out_moves_nothing_of_its_player(d_scale, g_scale):
    gan, before = overflowing(d_scale, g_scale)
    skips_g = g_scale > d_scale
    assert all(is_same(gan.generator, before["generator"])) is skips_g
    assert all(is_same(gan.ema_generator, before["average"])) is skips_g
    # With its penalty, which has the same scale.
    assert all(is_same(gan.discriminator, before["discriminator"])) is not skips_g
    assert int(gan.generator_optimizer.inner_optimizer.iterations) == (not skips_g)
    assert int(gan.discriminator_optimizer.inner_optimizer.iterations) == skips_g
    # The step itself is over: the next one has other images and other noise.
    assert gan.step == 1


def test_the_average_of_the_first_step_is_g():
    """max(1 - decay, 4 / (n + 3)) is 1 at n = 1."""
    gan, _ = overflowing(2.0**4, 2.0**4)
    for mean, weight in zip(gan.ema_generator.weights, gan.generator.weights, strict=True):
        # From one further off, whose digits there are fewer.
        assert_allclose(mean, weight, atol=1e-6)
