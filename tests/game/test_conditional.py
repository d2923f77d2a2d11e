"""The game with labels against its steps written out, and labels that are drawn."""

import keras
import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras import networks
from gan_keras.data.pipeline import untuned
from gan_keras.game import ConditionalGAN
from gan_keras.game.priors import PRIORS

BATCH, LATENTS, CLASSES = 8, 5, 3
RANDOM = np.random.default_rng(0)
REAL = RANDOM.uniform(-1, 1, (4 * BATCH, 8, 8, 1)).astype("float32")
LABELS = RANDOM.integers(0, CLASSES, 4 * BATCH)


def make(network="plain", **arguments):
    pair = networks.build(
        network, shape=(8, 8, 1), latent_dim=LATENTS, width=4, seed=0, classes=CLASSES
    )
    gan = ConditionalGAN(*pair, **arguments)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    return gan


def fit(gan, steps):
    pairs = tf.data.Dataset.from_tensor_slices((REAL, LABELS)).repeat().batch(BATCH)
    gan.fit(untuned(pairs), steps_per_epoch=steps, verbose=0, shuffle=False)


def descend(tape, loss, network):
    variables = network.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(0.1 * gradient)


def test_a_step_is_algorithm_1_given_the_class_with_both_penalties():
    """Penalties in steps 0 and 2, written out by Jacobians, each twice as heavy."""
    gan = make(seed=7, r1_weight=0.5, r2_weight=0.25, penalty_every=2)
    plain = make(seed=7)
    fit(gan, 3)
    for step in range(3):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        x, y = tf.constant(REAL[rows]), tf.constant(LABELS[rows])
        z = PRIORS["normal"]((BATCH, LATENTS), seed=[7, step])
        fake = plain.generator([z, y], training=True)
        with tf.GradientTape() as tape:
            d_real = tf.sigmoid(plain.discriminator([x, y]))
            d_fake = tf.sigmoid(plain.discriminator([fake, y]))
            loss = -tf.reduce_mean(tf.math.log(d_real)) - tf.reduce_mean(tf.math.log(1 - d_fake))
            for weight, examples in ((0.5, x), (0.25, fake)) if step % 2 == 0 else ():
                with tf.GradientTape() as inner:
                    inner.watch(examples)
                    logits = plain.discriminator([examples, y])
                slopes = inner.batch_jacobian(logits, examples)
                loss += 2 * weight / 2 * tf.reduce_sum(slopes**2) / BATCH
        descend(tape, loss, plain.discriminator)
        with tf.GradientTape() as tape:
            # Once more: the averages that normalise are not those of training.
            fake = plain.generator([z, y], training=True)
            loss = -tf.reduce_mean(tf.math.log(tf.sigmoid(plain.discriminator([fake, y]))))
        descend(tape, loss, plain.generator)
    for ours, theirs in (
        (gan.generator, plain.generator),
        (gan.discriminator, plain.discriminator),
    ):
        for a, b in zip(ours.trainable_variables, theirs.trainable_variables, strict=True):
            # float32 rounding of some hundred sums of order one.
            assert_allclose(a.numpy(), b.numpy(), atol=1e-5)


def test_d_is_a_logit_and_an_inner_product_with_the_class():
    gan = make()
    network = gan.discriminator
    (projection,) = [each for each in network.layers if "projection" in each.name]
    dense = [each for each in network.layers if isinstance(each, keras.layers.Dense)][-1]
    features = keras.Model(network.inputs[0], dense.input)(REAL[:4]).numpy()
    for label in range(CLASSES):
        labels = tf.fill((4,), tf.constant(label, tf.int64))
        logits = gan.judge(tf.constant(REAL[:4]), labels).numpy()
        expected = features @ dense.kernel.numpy() + dense.bias.numpy()
        expected += features @ projection.embeddings.numpy()[label][:, None]
        assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_the_class_asked_for_changes_the_picture():
    gan = make()
    latents = tf.ones((CLASSES, LATENTS))
    pictures = gan([latents, tf.range(CLASSES, dtype=tf.int64)]).numpy()
    assert np.all(np.abs(pictures[1:] - pictures[:1]).max(axis=(1, 2, 3)) > 0)


def test_round_trip_through_a_keras_file(tmp_path):
    gan = make(ema_decay=0.5, r1_weight=1.0, penalty_every=2, seed=9)
    fit(gan, 1)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    fit(gan, 2)
    fit(loaded, 2)
    for a, b in zip(gan.get_weights(), loaded.get_weights(), strict=True):
        assert_array_equal(a, b)
