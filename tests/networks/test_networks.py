"""The builders: shapes, ranges, parameter counts, seeds, and sizes that they refuse."""

import keras
import numpy as np
import pytest

from gan_keras import networks
from gan_keras.errors import UsageError


def build(network, image_size=28, channels=1, width=8, latent_dim=5, seed=0):
    return networks.build(
        network,
        image_size=image_size,
        channels=channels,
        latent_dim=latent_dim,
        width=width,
        seed=seed,
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image_size", [8, 16, 28, 32, 64, 128])
@pytest.mark.parametrize("network", networks.NETWORKS)
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
    for network in networks.NETWORKS:
        _, discriminator = build(network)
        assert discriminator.layers[-1].activation is keras.activations.linear


def test_dcgan_is_the_one_of_the_paper_in_small():
    """Counts by hand: 28 pixels, width 64, 100 latents, one channel."""
    generator, discriminator = build("dcgan", width=64, latent_dim=100)
    dense, deconvolution, image = 100 * 7 * 7 * 128, 4 * 4 * 128 * 64, 4 * 4 * 64 * 1 + 1
    assert generator.count_params() == dense + 4 * 128 + deconvolution + 4 * 64 + image
    first, second, logit = 4 * 4 * 1 * 64 + 64, 4 * 4 * 64 * 128, 7 * 7 * 128 + 1
    assert discriminator.count_params() == first + second + 4 * 128 + logit


def test_dcgan_stops_widening():
    generator, _ = build("dcgan", image_size=128, width=64)
    assert max(layer.output.shape[-1] for layer in generator.layers[2:]) == 512


@pytest.mark.parametrize("network", networks.NETWORKS)
def test_the_seed_decides_every_kernel(network):
    first, again, other = (build(network, seed=seed) for seed in (3, 3, 4))
    for networks_of_a_seed in zip(first, again, other, strict=True):
        kernels = [
            [w.numpy() for w in net.trainable_weights if w.name == "kernel"]
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


@pytest.mark.parametrize("network", networks.NETWORKS)
def test_mixed_precision_still_ends_in_float32(network):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        generator, discriminator = build(network)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    images = generator(np.zeros((2, 5), "float32"))
    assert images.dtype == "float32"
    assert discriminator(images).dtype == "float32"
