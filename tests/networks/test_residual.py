"""Residual networks: their parts against TensorFlow's, what they are at first, and their size."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras import networks
from gan_keras.exporting import folding
from gan_keras.networks import residual

RANDOM = np.random.default_rng(0)


def build(size=16, width=16, classes=0, precision="float32"):
    return networks.build(
        "residual",
        shape=(size, size, 3),
        latent_dim=5,
        width=width,
        seed=0,
        precision=precision,
        classes=classes,
    )


def varied(model):
    """The model with weights as after training: no block is the identity any more."""
    for weight in model.weights:
        weight.assign(weight + RANDOM.normal(0, 0.1, weight.shape))
    return model


@pytest.mark.parametrize("shape", [(2, 1, 4, 3), (3, 5, 7, 1)])
def test_doubling_is_bilinear(shape):
    images = RANDOM.normal(size=shape).astype("float32")
    expected = tf.image.resize(images, [2 * shape[1], 2 * shape[2]], "bilinear")
    assert_allclose(residual.Doubling()(images), expected, atol=1e-6)


def test_halving_is_bilinear():
    images = RANDOM.normal(size=(2, 6, 8, 3)).astype("float32")
    expected = tf.image.resize(images, [3, 4], "bilinear")
    assert_allclose(keras.layers.AveragePooling2D(2)(images), expected, atol=1e-6)


def test_the_sum_over_places_has_weights_for_each_feature():
    images = RANDOM.normal(size=(2, 4, 5, 3)).astype("float32")
    layer = residual.PlaceSum("random_normal")
    found, kernel = layer(images), layer.kernel.numpy()
    assert_allclose(found, np.einsum("bhwn,hwn->bn", images, kernel[:, :, 0]), atol=1e-6)


def test_a_square_is_scaled_by_each_number():
    layer = residual.Square(4, "random_normal")
    numbers = RANDOM.normal(size=(2, 3)).astype("float32")
    found, kernel = layer(numbers), layer.kernel.numpy()
    assert_allclose(found, np.einsum("bn,hwn->bhwn", numbers, kernel), atol=1e-6)


@pytest.mark.parametrize(("size", "doublings"), [(28, 2), (32, 3), (64, 4), (128, 5), (256, 6)])
def test_parameters_by_hand(size, doublings):
    """Of a block with n filters: 1x1 to 2n, 3x3 in groups of 16, 1x1 back; two biases."""
    generator, discriminator = build(size, width=16)
    filters = [min(16 * 2**i, 512) for i in range(doublings + 1)]
    blocks = sum(2 * n * n + 2 * n + 9 * 16 * 2 * n + 2 * n + 2 * n * n for n in filters)
    changes = sum(a * b for a, b in itertools.pairwise(filters) if a != b)
    start = size // 2**doublings
    square = start * start * filters[-1]
    assert generator.count_params() == 5 * filters[-1] + square + blocks + changes + 16 * 3 + 3
    assert discriminator.count_params() == 3 * 16 + 16 + blocks + changes + square + filters[-1] + 1


def test_blocks_are_the_identity_at_first():
    """Without them the generator is the same; and D's logits are of order 1."""
    generator, discriminator = build()
    latents = RANDOM.normal(size=(64, 5)).astype("float32")
    images = generator(latents).numpy()
    for layer in generator.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (3, 3):
            layer.kernel.assign(0 * layer.kernel)
    assert_array_equal(generator(latents), images)
    assert 0.1 < images.std() < 0.9
    noise = RANDOM.normal(size=(64, 16, 16, 3)).astype("float32")
    assert 0.02 < discriminator(noise).numpy().std() < 5


@pytest.mark.parametrize("classes", [0, 3])
def test_it_exports(classes, tmp_path):
    """What `exporting` makes of it, and TensorFlow loads: the same pictures."""
    generator = varied(build(classes=classes)[0])
    latents = RANDOM.normal(size=(6, 5)).astype("float32")
    inputs = [latents, np.arange(6) % 3] if classes else latents
    expected = generator(inputs, training=False).numpy()
    assert expected.std() > 0.1
    folded = folding.fold(generator)
    assert_allclose(folded(inputs), expected, atol=1e-5)
    folded.export(tmp_path, verbose=False)
    loaded = tf.saved_model.load(str(tmp_path))  # Without it its variables would go.
    assert_allclose(loaded.serve(inputs), expected, atol=1e-5)
    short = folding.fold(generator, "bfloat16")(inputs)
    assert short.dtype == "float32"
    assert_allclose(short, expected, atol=0.1)


def test_bfloat16_is_near_float32():
    """Pictures and logits: errors of a dozen roundings of 2^-8, in quadrature."""
    exact, rounded = build(), build(precision="bfloat16")
    for model, other in zip(exact, rounded, strict=True):
        other.set_weights(varied(model).get_weights())
    latents = RANDOM.normal(size=(32, 5)).astype("float32")
    images = exact[0](latents).numpy()
    assert_allclose(rounded[0](latents), images, atol=0.1)
    logits = exact[1](images).numpy()
    assert np.linalg.norm(rounded[1](images) - logits) < 0.05 * np.linalg.norm(logits)


def test_it_survives_a_keras_file(tmp_path):
    generator = varied(build()[0])
    generator.save(tmp_path / "generator.keras")
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    latents = np.ones((2, 5), "float32")
    assert_array_equal(loaded(latents), generator(latents))
