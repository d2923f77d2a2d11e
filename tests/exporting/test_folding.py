"""Folded generators against the ones that they were made of."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras import networks
from gan_keras.exporting import folding
from gan_keras.exporting.served import Served
from gan_keras.networks.normalization import FusedBatchNormalization

LATENTS = 5
Z = np.random.default_rng(0).normal(size=(16, LATENTS)).astype("float32")


def vary(model):
    """Gives a model the contrast of a trained one, and each normalisation numbers of its own."""
    draws = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            shape = layer.moving_mean.shape
            layer.moving_mean.assign(draws.normal(0, 0.3, shape))
            layer.moving_variance.assign(draws.uniform(0.5, 2, shape))
            if layer.scale:
                layer.gamma.assign(draws.uniform(0.5, 1.5, shape) * draws.choice([-1, 1], shape))
            if layer.center:
                layer.beta.assign(draws.normal(0, 0.5, shape))
        elif layer.weights:
            # Sums of as many products as there are inputs: a quarter of the 4 x 4 taps of a
            # transposed convolution with stride 2 meet at a pixel.
            fan_in = {2: layer.kernel.shape[0], 4: 4 * layer.kernel.shape[-1]}[layer.kernel.ndim]
            layer.kernel.assign(draws.normal(0, fan_in**-0.5, layer.kernel.shape))
            if layer.use_bias:
                layer.bias.assign(draws.normal(0, 0.5, layer.bias.shape))
    return model


def dcgan(image_size=16, channels=1, kind=None):
    """A DCGAN generator, with a normalisation layer of this kind if one is given."""

    def swap(layer):
        is_one = kind and isinstance(layer, layers.BatchNormalization)
        return (kind if is_one else type(layer)).from_config(layer.get_config())

    built = networks.NETWORKS["dcgan"].generator(
        (image_size, image_size, channels), LATENTS, width=8, seed=0
    )
    return vary(keras.models.clone_model(built, clone_function=swap))


def chain(*stack, shape=(LATENTS,)):
    inputs = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return vary(keras.Model(inputs, x))


def kinds(model):
    return [type(layer) for layer in model.layers]


@pytest.mark.parametrize("kind", [layers.BatchNormalization, FusedBatchNormalization])
@pytest.mark.parametrize(("image_size", "channels"), [(16, 1), (28, 1), (64, 3)])
def test_a_folded_dcgan_is_the_same_function(image_size, channels, kind):
    generator = dcgan(image_size, channels, kind)
    before = generator.get_weights()
    folded = folding.fold(generator)
    expected = generator(Z, training=False)
    assert np.std(expected) > 0.3
    # A few hundred float32 roundings of numbers of order one, at worst.
    assert_allclose(folded(Z), expected, rtol=0, atol=1e-5)
    assert kind in kinds(generator)
    assert kinds(folded) == [k for k in kinds(generator) if k is not kind]
    assert not folded.non_trainable_variables
    assert folded.input_shape == generator.input_shape
    for a, b in zip(before, generator.get_weights(), strict=True):
        assert_array_equal(a, b)


def test_a_folded_modulated_generator_is_the_same_function():
    """What modulates reads the latents beside the layers into which normalisation goes."""
    made, _ = networks.build("modulated", shape=(16, 16, 1), latent_dim=LATENTS, width=8, seed=0)
    generator = vary(made)
    folded = folding.fold(generator)
    expected = generator(Z, training=False)
    assert np.std(expected) > 0.3
    assert_allclose(folded(Z), expected, rtol=0, atol=1e-5)
    assert FusedBatchNormalization in kinds(generator)
    assert FusedBatchNormalization not in kinds(folded)


def bfloat16_error(folded, expected):
    """What the root mean square error of a picture is at most.

    bfloat16 rounds by at most 2^-8 of a number: each weight, product and sum with a bias. The
    roundings of a layer are independent, and so are those of different layers: their squares
    add up. A tanh makes no error larger.
    """
    roundings = 3 * sum(bool(layer.weights) for layer in folded.layers)
    return 2**-8 * np.sqrt(roundings * np.mean(np.arctanh(expected) ** 2))


@pytest.mark.parametrize("image_size", [16, 28, 64])
def test_bfloat16_is_close(image_size):
    generator = dcgan(image_size)
    folded = folding.fold(generator, dtype="bfloat16")
    expected, given = generator(Z, training=False).numpy(), folded(Z).numpy()
    assert given.dtype == np.float32
    assert np.abs(given).max() <= 1
    assert {weight.dtype for weight in folded.weights} == {"bfloat16"}
    assert folded.layers[-1].compute_dtype == "float32"
    assert 1e-4 < np.sqrt(np.mean((given - expected) ** 2)) < bfloat16_error(folded, expected)


def test_mixed_precision_is_undone():
    """A run in bfloat16 kept float32 weights: its export may compute with all of them."""
    generator = dcgan()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = dcgan()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert {layer.compute_dtype for layer in mixed.layers} == {"bfloat16", "float32"}
    folded = folding.fold(mixed)
    assert_allclose(folded(Z), generator(Z, training=False), rtol=0, atol=1e-5)


@pytest.mark.parametrize("network", ["mlp", "maxout", "points"])
def test_a_network_without_normalisation_is_the_same_to_the_bit(network):
    shape = (2,) if network == "points" else (8, 8, 1)
    generator, _ = networks.build(network, shape=shape, latent_dim=LATENTS, width=8, seed=0)
    folded = folding.fold(generator)
    assert_array_equal(folded(Z), generator(Z, training=False))
    assert kinds(folded) == kinds(generator)
    assert folding.fold(generator, dtype="bfloat16")(Z).dtype == tf.float32


@pytest.mark.parametrize(
    ("make", "is_folded"),
    [
        (lambda: chain(layers.Dense(6), layers.BatchNormalization()), True),
        (lambda: chain(layers.Dense(6), layers.BatchNormalization(scale=False)), True),
        (lambda: chain(layers.Dense(6), layers.BatchNormalization(center=False)), True),
        (
            lambda: chain(layers.Conv2D(6, 3), layers.BatchNormalization(), shape=(5, 5, 2)),
            True,
        ),
        (lambda: chain(layers.Dense(6, "relu"), layers.BatchNormalization()), False),
        (lambda: chain(layers.Dense(6), layers.ReLU(), layers.BatchNormalization()), False),
        (lambda: chain(layers.BatchNormalization(), layers.Dense(6)), False),
        (
            lambda: chain(
                layers.Dense(6), layers.Reshape((2, 3)), layers.BatchNormalization(axis=1)
            ),
            False,
        ),
        (
            lambda: chain(
                layers.Dense(3), layers.Reshape((6,)), layers.BatchNormalization(), shape=(2, 5)
            ),
            False,
        ),
    ],
    ids=[
        "with a bias",
        "no gamma",
        "no beta",
        "convolution",
        "activation",
        "after a rectifier",
        "first",
        "another axis",
        "channels of several units",
    ],
)
def test_only_what_is_linear_per_channel_is_folded(make, is_folded):
    model = make()
    x = np.random.default_rng(0).normal(size=(4, *model.input_shape[1:])).astype("float32")
    folded = folding.fold(model)
    assert (layers.BatchNormalization not in kinds(folded)) == is_folded
    assert_allclose(folded(x), model(x, training=False), rtol=0, atol=1e-5)


def test_an_output_that_others_read_is_not_folded():
    inputs = keras.Input((LATENTS,))
    hidden = layers.Dense(6)(inputs)
    model = vary(keras.Model(inputs, layers.Add()([hidden, layers.BatchNormalization()(hidden)])))
    folded = folding.fold(model)
    assert kinds(folded) == kinds(model)
    assert_allclose(folded(Z), model(Z, training=False), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_server_s_session_loads_and_runs_it(dtype, tmp_path):
    generator = dcgan(kind=FusedBatchNormalization)
    folded = folding.fold(generator, dtype)
    served = Served(folded, "normal")
    tf.saved_model.save(served, str(tmp_path), signatures=served.signatures())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        signature = meta.signature_def["serving_default"]
        (images,), (latents,) = (s.values() for s in (signature.outputs, signature.inputs))
        given = session.run(images.name, {latents.name: Z})
    assert given.dtype == np.float32
    expected = generator(Z, training=False).numpy()
    limit = 1e-6 if dtype == "float32" else bfloat16_error(folded, expected)
    assert np.sqrt(np.mean((given - expected) ** 2)) < limit
