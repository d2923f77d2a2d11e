"""Deep convolutional networks: strided convolutions both ways, batch normalisation.

Reference: Radford et al. 2015, https://arxiv.org/abs/1511.06434
"""

from collections.abc import Sequence

import keras
from keras import layers

from gan_keras.config.random_streams import DISCRIMINATOR_WEIGHTS, GENERATOR_WEIGHTS
from gan_keras.errors import UsageError
from gan_keras.networks import labels
from gan_keras.networks.convolution import DoublingConv2DTranspose, HalvingConv2D
from gan_keras.networks.initial_weights import WeightSeeds
from gan_keras.networks.normalization import FusedBatchNormalization

MAX_FILTERS = 512


def generator(
    shape: Sequence[int], latent_dim: int, width: int, seed: int, classes: int = 0
) -> keras.Model:
    """Dense to a small square, then transposed convolutions that double it, then tanh.

    28 pixels with width 64: 100 -> 7x7x128 -> 14x14x64 -> 28x28xchannels.

    Args:
        shape: (size, size, channels) of the images; size is 4, 5, 6 or 7 doubled at least once.
        latent_dim: Length of a latent vector.
        width: Filters of the layer before the image; doubled with every halving of the size.
        seed: Integer from which the initial weights follow.
        classes: Number of classes, whose labels are a second input; 0: none.

    Returns:
        Model from float (batch, latent_dim), with labels int64 (batch,) if there are classes, to
        float32 (batch, size, size, channels).

    Raises:
        UsageError: it makes no images of that size.
    """
    start, doublings = sizes(shape)
    filters = [filters_after(width, i) for i in reversed(range(doublings))]
    draw = WeightSeeds(seed, GENERATOR_WEIGHTS)

    inputs, x = labels.inputs(latent_dim, classes)
    x = layers.Dense(
        start * start * filters[0], use_bias=False, kernel_initializer=_initializer(draw)
    )(x)
    x = layers.Reshape((start, start, filters[0]))(x)
    x = normalise(x)
    x = layers.ReLU()(x)
    for count in filters[1:]:
        x = DoublingConv2DTranspose(
            count, 4, 2, "same", use_bias=False, kernel_initializer=_initializer(draw)
        )(x)
        x = normalise(x)
        x = layers.ReLU()(x)
    x = DoublingConv2DTranspose(shape[-1], 4, 2, "same", kernel_initializer=_initializer(draw))(x)
    # Under a mixed precision policy the pixels are float32 all the same.
    images = layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, images, name="generator")


def discriminator(shape: Sequence[int], width: int, seed: int) -> keras.Model:
    """The generator's mirror: strided convolutions that halve the image, then one logit.

    Args:
        shape: (size, size, channels) of the images; size is 4, 5, 6 or 7 doubled at least once.
        width: Filters of the first convolution; doubled with every halving of the size.
        seed: Integer from which the initial weights follow.

    Returns:
        Model from float (batch, size, size, channels) to float32 logits (batch, 1).

    Raises:
        UsageError: it reads no images of that size.
    """
    _, halvings = sizes(shape)
    draw = WeightSeeds(seed, DISCRIMINATOR_WEIGHTS)

    images = x = keras.Input(shape, name="images")
    x = HalvingConv2D(width, 4, 2, "same", kernel_initializer=_initializer(draw))(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    for i in range(1, halvings):
        x = HalvingConv2D(
            filters_after(width, i),
            4,
            2,
            "same",
            use_bias=False,
            kernel_initializer=_initializer(draw),
        )(x)
        x = normalise(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Flatten()(x)
    logits = layers.Dense(1, dtype="float32", kernel_initializer=_initializer(draw))(x)
    return keras.Model(images, logits, name="discriminator")


def sizes(shape: Sequence[int], network: str = "dcgan") -> tuple[int, int]:
    """Returns the size that the generator starts from, and how often it doubles it."""
    image_size = start = shape[0]
    doublings = 0
    while start > 7 and start % 2 == 0:
        start, doublings = start // 2, doublings + 1
    if not 4 <= start <= 7 or doublings == 0:
        raise UsageError(
            f"--image_size={image_size}: {network} doubles 4, 5, 6 or 7 pixels, and so makes "
            "8, 16, 28, 32, 64, 128 and the like; choose one of these, or --network=mlp"
        )
    return start, doublings


def filters_after(width: int, halvings: int) -> int:
    return min(width * 2**halvings, max(width, MAX_FILTERS))


def _initializer(draw):
    return keras.initializers.RandomNormal(stddev=0.02, seed=draw)  # Radford et al. 2015


def normalise(x):
    # Statistics of the global batch, so that N devices compute what one would; on one device
    # the flag changes nothing. Momentum and epsilon are those of the PyTorch DCGAN example:
    # Keras' 0.99 lags behind weights that move as fast as these.
    return FusedBatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True)(x)
