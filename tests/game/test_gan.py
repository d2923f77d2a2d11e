"""The step against Algorithm 1: who moves when, on what, and the same on any device count."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras import networks
from gan_keras.data.pipeline import untuned
from gan_keras.game.gan import GAN
from gan_keras.game.priors import PRIORS

BATCH, LATENTS = 8, 5
# A maxout layer has a fifth of the width, and dropout must leave some of it.
WIDTHS = {"dcgan": 4, "mlp": 4, "maxout": 40}
# Besides mlp, which the tests against Algorithm 1 have: with statistics of batches, with dropout.
OTHERS = ("dcgan", "maxout")
# One of the short types for each, and both for convolutions.
SHORT = [("dcgan", "bfloat16"), ("dcgan", "float16"), ("mlp", "bfloat16"), ("maxout", "float16")]
REAL = np.random.default_rng(0).uniform(-1, 1, (4 * BATCH, 8, 8, 1)).astype("float32")


def make(network="mlp", g_rate=0.1, d_rate=0.1, precision="float32", **arguments):
    generator, discriminator = networks.build(
        network,
        shape=(8, 8, 1),
        latent_dim=LATENTS,
        width=WIDTHS[network],
        seed=0,
        precision=precision,
    )
    gan = GAN(generator, discriminator, **arguments)
    gan.compile(keras.optimizers.SGD(g_rate), keras.optimizers.SGD(d_rate))
    return gan


def weights(network):
    return [w.numpy() for w in network.trainable_variables]


def moved(before, network):
    return [np.any(a != b) for a, b in zip(before, weights(network), strict=True)]


def batches(k=1):
    one = untuned(tf.data.Dataset.from_tensor_slices(REAL).repeat().batch(BATCH))
    return one if k == 1 else tf.data.Dataset.zip(*[one.skip(i) for i in range(k)])


def fit(gan, steps, per_call=1, k=1):
    gan.steps_per_execution = per_call
    return gan.fit(batches(k), steps_per_epoch=steps, verbose=0, shuffle=False).history


@pytest.mark.parametrize("network", OTHERS)
def test_a_discriminator_step_moves_no_generator_weight(network):
    gan = make(network, g_rate=0.0)
    before = weights(gan.generator), weights(gan.discriminator)
    fit(gan, 1)
    assert not any(moved(before[0], gan.generator))
    assert all(moved(before[1], gan.discriminator))


@pytest.mark.parametrize("network", OTHERS)
def test_a_generator_step_moves_no_discriminator_weight(network):
    gan = make(network, d_rate=0.0)
    before = weights(gan.generator), weights(gan.discriminator)
    fit(gan, 1)
    assert all(moved(before[0], gan.generator))
    assert not any(moved(before[1], gan.discriminator))


@pytest.mark.parametrize("generator_loss", ["non_saturating", "minimax", "relativistic"])
@pytest.mark.parametrize(("k", "prior"), [(1, "normal"), (3, "uniform")])
def test_a_step_is_algorithm_1(k, generator_loss, prior):
    """Against the algorithm written out with probabilities, one plain tape per update."""

    def right(real, fake):
        return tf.sigmoid(real - fake)  # That D prefers the real one of each pair.

    arguments = {"generator_loss": generator_loss, "discriminator_steps": k, "prior": prior}
    gan, plain = make(seed=7, **arguments), make(seed=7)
    fit(gan, 2, k=k)

    rate, real = 0.1, list(batches(k).take(2))
    for step in range(2):
        for i in range(k):
            x = real[step] if k == 1 else real[step][i]
            z = PRIORS[prior]((BATCH, LATENTS), seed=[7, step * k + i])
            with tf.GradientTape() as tape:
                logits = plain.discriminator(x), plain.discriminator(plain.generator(z))
                d_real, d_fake = map(tf.sigmoid, logits)
                loss = -tf.reduce_mean(tf.math.log(d_real)) - tf.reduce_mean(
                    tf.math.log(1 - d_fake)
                )
                if generator_loss == "relativistic":
                    loss = -tf.reduce_mean(tf.math.log(right(*logits)))
            descend(tape, loss, plain.discriminator, rate)
        with tf.GradientTape() as tape:
            logits = plain.discriminator(x), plain.discriminator(plain.generator(z))
            d_fake = tf.sigmoid(logits[1])
            if generator_loss == "relativistic":
                loss = -tf.reduce_mean(tf.math.log(1 - right(*logits)))
            elif generator_loss == "minimax":
                loss = tf.reduce_mean(tf.math.log(1 - d_fake))
            else:
                loss = -tf.reduce_mean(tf.math.log(d_fake))
        descend(tape, loss, plain.generator, rate)

    for ours, theirs in (
        (gan.generator, plain.generator),
        (gan.discriminator, plain.discriminator),
    ):
        for a, b in zip(weights(ours), weights(theirs), strict=True):
            # float32 rounding of some hundred sums of order one.
            assert_allclose(a, b, atol=2e-6)


def test_instance_noise_is_on_all_that_d_sees():
    """Against algorithm 1 with the noise written out: half of it is left at step 1 of 2."""
    noise = {"instance_noise": 0.8, "instance_noise_steps": 2}
    gan, plain = make(seed=7, **noise), make(seed=7)
    fit(gan, 2)

    for step, deviation in enumerate((0.8, 0.4)):
        x = list(batches().take(2))[step]
        z = PRIORS["normal"]((BATCH, LATENTS), seed=[7, step])
        real_noise, fake_noise, answer_noise = (
            deviation * tf.random.stateless_normal(REAL[:BATCH].shape, [2**i + 7, step])
            for i in (32, 33, 34)
        )
        with tf.GradientTape() as tape:
            d_real = tf.sigmoid(plain.discriminator(x + real_noise))
            d_fake = tf.sigmoid(plain.discriminator(plain.generator(z) + fake_noise))
            loss = -tf.reduce_mean(tf.math.log(d_real)) - tf.reduce_mean(tf.math.log(1 - d_fake))
        descend(tape, loss, plain.discriminator, 0.1)
        with tf.GradientTape() as tape:
            d_fake = tf.sigmoid(plain.discriminator(plain.generator(z) + answer_noise))
            loss = -tf.reduce_mean(tf.math.log(d_fake))
        descend(tape, loss, plain.generator, 0.1)

    for ours, theirs in (
        (gan.generator, plain.generator),
        (gan.discriminator, plain.discriminator),
    ):
        for a, b in zip(weights(ours), weights(theirs), strict=True):
            assert_allclose(a, b, atol=2e-6)
    # Of the ramp's end nothing is left, not even rounding.
    assert_array_equal(gan._blur(REAL, 2**32), REAL)


def descend(tape, loss, network, rate):
    variables = network.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(rate * gradient)


def test_k_discriminator_updates_per_generator_update():
    gan = make(discriminator_steps=3)
    fit(gan, 4, k=3)
    assert gan.step == 4
    assert int(gan.discriminator_optimizer.iterations) == 12


def test_every_draw_of_noise_is_fresh_and_the_prior_s():
    gan = make(discriminator_steps=2, prior="uniform", seed=5)
    first, second = (gan._draw_latents(BATCH, i).numpy() for i in range(2))
    assert_array_equal(first, PRIORS["uniform"]((BATCH, LATENTS), seed=[5, 0]))
    assert_array_equal(second, PRIORS["uniform"]((BATCH, LATENTS), seed=[5, 1]))
    fit(gan, 1, k=2)
    third = gan._draw_latents(BATCH, 0).numpy()
    assert_array_equal(third, PRIORS["uniform"]((BATCH, LATENTS), seed=[5, 2]))


def test_metrics_are_means_over_the_steps():
    gan = make(g_rate=0.0, d_rate=0.0)
    logs = {name: value[0] for name, value in fit(gan, 3).items()}
    real = tf.sigmoid(gan.discriminator(REAL[: 3 * BATCH])).numpy()
    noise = np.concatenate([PRIORS["normal"]((BATCH, LATENTS), seed=[0, i]) for i in range(3)])
    fake = tf.sigmoid(gan.discriminator(gan.generator(noise))).numpy()
    value = np.log(real).mean() + np.log(1 - fake).mean()
    expected = {
        "d_loss": -value,
        "value": value,
        "g_loss": -np.log(fake).mean(),
        "d_real": real.mean(),
        "d_fake": fake.mean(),
    }
    assert logs.keys() == expected.keys()
    for name, number in expected.items():
        assert_allclose(logs[name], number, rtol=1e-5, err_msg=name)


def test_metrics_of_pairs_are_those_of_the_comparison():
    gan = make(g_rate=0.0, d_rate=0.0, generator_loss="relativistic")
    logs = {name: value[0] for name, value in fit(gan, 3).items()}
    real = gan.discriminator(REAL[: 3 * BATCH]).numpy()
    noise = np.concatenate([PRIORS["normal"]((BATCH, LATENTS), seed=[0, i]) for i in range(3)])
    fake = gan.discriminator(gan.generator(noise)).numpy()
    right = 1 / (1 + np.exp(fake - real))
    value = np.log(right).mean()
    expected = {
        "d_loss": -value,
        "value": value,
        "g_loss": -np.log(1 - right).mean(),
        "d_real": right.mean(),
        "d_fake": 1 - right.mean(),
    }
    assert logs.keys() == expected.keys()
    for name, number in expected.items():
        assert_allclose(logs[name], number, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("network", OTHERS)
def test_many_steps_per_call_change_no_bit(network):
    one, many = make(network), make(network)
    fit(one, 6)
    fit(many, 6, per_call=3)
    assert one.step == many.step == 6
    for a, b in zip(one.get_weights(), many.get_weights(), strict=True):
        assert_array_equal(a, b)


def test_the_average_follows_the_generator():
    """avg <- avg + r (w - avg) with r = max(1 - decay, 4 / (n + 3)) in step n, in float64."""
    gan = make("dcgan", ema_decay=0.5)
    averages = [np.zeros(w.shape) for w in gan.generator.weights]
    for rate in (1, 4 / 5, 4 / 6, 4 / 7, 0.5, 0.5):
        fit(gan, 1)
        averages = [
            a + rate * (w.numpy() - a) for a, w in zip(averages, gan.generator.weights, strict=True)
        ]
    for a, b in zip(gan.ema_generator.weights, averages, strict=True):
        assert_allclose(a, b, rtol=1e-6, atol=1e-6)
    assert np.any(gan.ema_generator.weights[0].numpy() != gan.generator.weights[0].numpy())


def test_the_average_samples_and_changes_no_bit_of_the_game():
    gan, plain = make(ema_decay=0.9), make()
    fit(gan, 3)
    fit(plain, 3)
    for ours, theirs in (
        (gan.generator, plain.generator),
        (gan.discriminator, plain.discriminator),
    ):
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            assert_array_equal(a, b)
    latents = np.ones((3, LATENTS), "float32")
    assert gan.sampler is gan.ema_generator
    assert_array_equal(gan(latents), gan.ema_generator(latents))
    assert plain.sampler is plain.generator


def test_calling_the_model_samples():
    gan = make()
    latents = np.ones((3, LATENTS), "float32")
    assert_array_equal(gan(latents), gan.generator(latents, training=False))


@pytest.mark.parametrize("network", OTHERS)
def test_round_trip_through_a_keras_file(network, tmp_path):
    gan = make(
        network,
        prior="uniform",
        generator_loss="minimax",
        discriminator_steps=2,
        ema_decay=0.5,
        seed=9,
    )
    fit(gan, 2, k=2)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    latents = np.ones((3, LATENTS), "float32")
    assert_array_equal(loaded(latents), gan(latents))
    assert (loaded.prior, loaded.generator_loss) == ("uniform", "minimax")
    # It goes on training exactly where the saved one does.
    assert loaded.step == 2
    fit(gan, 1, k=2)
    fit(loaded, 1, k=2)
    for a, b in zip(gan.get_weights(), loaded.get_weights(), strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize(("network", "precision"), SHORT)
def test_mixed_precision_keeps_weights_pixels_and_logits_float32(network, precision):
    gan = make(network, precision=precision)
    fit(gan, 1)
    floats = [w for w in gan.weights if w.dtype != "int64"]
    assert {w.dtype for w in floats} == {"float32"}
    images = gan(np.ones((2, LATENTS), "float32"))
    assert images.dtype == gan.discriminator(images).dtype == "float32"
    # The layers with the products compute in the shorter type.
    assert {layer.compute_dtype for layer in gan.generator.layers if "dense" in layer.name} == {
        precision
    }
    assert keras.config.dtype_policy().name == "float32"  # As it was before.


@pytest.mark.parametrize(("network", "precision"), SHORT)
def test_gradients_of_mixed_precision_are_those_of_float32(network, precision):
    """One step with rate 1: the angle between the updates.

    Each product is rounded to so many binary digits, at most half a unit off; an update passes
    eight of them on its longest way, forwards and backwards through both networks. As much again
    for each of them is granted to sums that nearly cancel: a wrong gradient is off by about 1.

    A maxout unit whose two largest pieces differ by less than that gives its gradient to other
    weights: a share of all units of the order of the bound, which the norm counts by its root.
    """
    bound = 8 * 8 * 2.0 ** -{"bfloat16": 8, "float16": 11}[precision]
    if network == "maxout":
        bound **= 0.5
    exact, rounded = (make(network, 1.0, 1.0, precision=each) for each in ("float32", precision))
    updates = []
    for gan in (exact, rounded):
        if gan is rounded:
            # A small float16 has few digits left. bfloat16 needs no scale, and it does no harm.
            gan.compile(*(_scaled(keras.optimizers.SGD(1.0), 2.0**10) for _ in range(2)))
        before = [weights(gan.generator), weights(gan.discriminator)]
        fit(gan, 1)
        updates.append(
            [
                np.concatenate([(a - b).ravel() for a, b in zip(weights(net), old, strict=True)])
                for net, old in zip((gan.generator, gan.discriminator), before, strict=True)
            ]
        )
    for a, b in zip(*updates, strict=True):
        error = np.linalg.norm(a - b) / np.linalg.norm(a)
        assert 0 < error < bound


def test_a_step_whose_gradients_are_not_finite_is_left_out():
    """With float16 the loss is scaled up: what overflows is tried again with half the scale."""
    gan = make(precision="float16")
    gan.compile(*(_scaled(keras.optimizers.SGD(0.1), scale) for scale in (2.0**40, 2.0**4)))
    before = weights(gan.generator)
    fit(gan, 1)
    assert not any(moved(before, gan.generator))
    assert gan.step == 1
    assert float(gan.generator_optimizer.dynamic_scale) == 2.0**39


def _scaled(optimizer, scale):
    return keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=scale)
