"""The builders: shapes, ranges, parameter counts, seeds, and sizes that they refuse."""

import keras
import numpy as np
import pytest

from gan_keras import networks
from gan_keras.config import config
from gan_keras.errors import UsageError
from gan_keras.networks import modulated

IMAGE_NETWORKS = ("dcgan", "plain", "modulated", "residual", "mlp", "maxout")


def build(network, image_size=28, channels=1, width=8, latent_dim=5, seed=0):
    return networks.build(
        network,
        shape=(image_size, image_size, channels),
        latent_dim=latent_dim,
        width=width,
        seed=seed,
    )


@pytest.mark.parametrize(
    ("image_size", "channels"), [(8, 3), (16, 1), (28, 1), (32, 3), (64, 1), (128, 3)]
)
@pytest.mark.parametrize("network", IMAGE_NETWORKS)
def test_images_of_every_size(network, image_size, channels):
    generator, discriminator = build(network, image_size, channels)
    images = generator(np.random.default_rng(0).normal(size=(2, 5)).astype("float32")).numpy()
    assert images.shape == (2, image_size, image_size, channels)
    assert images.dtype == np.float32
    assert np.abs(images).max() <= 1
    assert images.std() > 0
    logits = discriminator(images)
    assert logits.shape == (2, 1)
    assert logits.dtype == "float32"


@pytest.mark.parametrize("image_size", [1, 4, 7, 9, 18, 30, 100])
def test_dcgan_names_the_sizes_it_can_make(image_size):
    with pytest.raises(UsageError, match=f"--image_size={image_size}: .* 28, 32"):
        build("dcgan", image_size)


def test_discriminator_gives_logits_not_probabilities():
    for network in IMAGE_NETWORKS:
        _, discriminator = build(network)
        assert discriminator.layers[-1].activation is keras.activations.linear


def test_dcgan_is_the_one_of_the_paper_in_small():
    """Counts by hand: 28 pixels, width 64, 100 latents, one channel."""
    generator, discriminator = build("dcgan", width=64, latent_dim=100)
    dense, deconvolution, image = 100 * 7 * 7 * 128, 4 * 4 * 128 * 64, 4 * 4 * 64 * 1 + 1
    assert generator.count_params() == dense + 4 * 128 + deconvolution + 4 * 64 + image
    first, second, logit = 4 * 4 * 1 * 64 + 64, 4 * 4 * 64 * 128, 7 * 7 * 128 + 1
    assert discriminator.count_params() == first + second + 4 * 128 + logit


def test_every_architecture_has_a_flag():
    assert tuple(networks.NETWORKS) == config.NETWORKS


@pytest.mark.parametrize("length", [1, 2])
def test_points(length):
    generator, discriminator = networks.build(
        "points", shape=(length,), latent_dim=5, width=8, seed=0
    )
    hidden = 2 * (8 * 8 + 8)
    assert generator.count_params() == 6 * 8 + hidden + 9 * length
    assert discriminator.count_params() == (length + 1) * 8 + hidden + 9
    points = generator(100 * np.ones((3, 5), "float32"))
    assert points.shape == (3, length)
    assert np.abs(points).max() > 1  # No tanh: a point may be anywhere.
    assert discriminator(points).shape == (3, 1)


@pytest.mark.parametrize(
    ("network", "shape", "choice"),
    [("points", (8, 8, 1), "dcgan or mlp"), ("dcgan", (2,), "points"), ("mlp", (1,), "points")],
)
def test_a_network_for_another_kind_of_data_is_refused(network, shape, choice):
    with pytest.raises(UsageError, match=f"--network={network}: .* choose {choice}"):
        networks.build(network, shape=shape, latent_dim=2, width=4, seed=0)


def test_dcgan_stops_widening():
    generator, _ = build("dcgan", image_size=128, width=64)
    assert max(layer.output.shape[-1] for layer in generator.layers[2:]) == 512


@pytest.mark.parametrize("network", IMAGE_NETWORKS)
def test_the_seed_decides_every_kernel(network):
    first, again, other = (build(network, seed=seed) for seed in (3, 3, 4))
    for networks_of_a_seed in zip(first, again, other, strict=True):
        kernels = [
            # The last of a residual block is 0 at first, and so is what modulates.
            [w.numpy() for w in net.trainable_weights if w.name == "kernel" and np.any(w)]
            for net in networks_of_a_seed
        ]
        assert len(kernels[0]) >= 3
        for a, b, c in zip(*kernels, strict=True):
            np.testing.assert_array_equal(a, b)
            assert not np.any(a == c)
    # Two kernels of one shape must not start equal, nor must the two networks share draws.
    generator, discriminator = first
    assert not np.any(
        generator.trainable_weights[-2].numpy().ravel()[:8]
        == discriminator.trainable_weights[0].numpy().ravel()[:8]
    )


@pytest.mark.parametrize("network", IMAGE_NETWORKS)
def test_mixed_precision_still_ends_in_float32(network):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        generator, discriminator = build(network)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    images = generator(np.zeros((2, 5), "float32"))
    assert images.dtype == "float32"
    assert discriminator(images).dtype == "float32"


Z = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")


def test_a_modulated_generator_begins_as_a_plain_one():
    (plain, _), (other, _) = build("plain"), build("modulated")
    np.testing.assert_array_equal(other(Z), plain(Z))


def test_modulation_is_an_affine_function_of_the_latents():
    draws = np.random.default_rng(1)
    features, latents = keras.Input((3, 2, 4)), keras.Input((5,))
    model = keras.Model([features, latents], modulated.modulate(features, latents))
    # Of numbers so small that what is added up stays of order one, float32 rounds 1e-7 at a time.
    model.set_weights([draws.normal(0, 0.3, weight.shape) for weight in model.weights])
    scale, scale_at_0, shift, shift_at_0 = model.get_weights()
    x = draws.normal(size=(4, 3, 2, 4)).astype("float32")
    expected = np.empty_like(x)
    for example, z in enumerate(Z):
        expected[example] = x[example] * (z @ scale + scale_at_0) + z @ shift + shift_at_0
    np.testing.assert_allclose(model([x, Z]), expected, rtol=0, atol=1e-5)
