"""DCGAN's convolutions for a game with a penalty: no normalisation in D, leaky rectifiers.

Without normalisation each example's logit depends on that example alone, so the penalty
(game.penalties) takes the gradient of D at each example.

References:
    Radford et al. 2015, https://arxiv.org/abs/1511.06434
    Initial weights: Glorot and Bengio 2010, http://proceedings.mlr.press/v9/glorot10a.html
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from gan_keras.config.random_streams import DISCRIMINATOR_WEIGHTS, GENERATOR_WEIGHTS
from gan_keras.networks import labels
from gan_keras.networks.convolution import DoublingConv2DTranspose, HalvingConv2D
from gan_keras.networks.dcgan import filters_after, normalise, sizes
from gan_keras.networks.initial_weights import WeightSeeds

SLOPE = 0.2
FEATURES = 4  # Units of D's dense layer, in widths.


def generator(
    shape: Sequence[int],
    latent_dim: int,
    width: int,
    seed: int,
    classes: int = 0,
    between: Callable[[Any, Any], Any] | None = None,
) -> keras.Model:
    """Dense to a small square, then transposed convolutions that double it, then tanh.

    28 pixels with width 64: 100 -> 7x7x128 -> 14x14x64 -> 28x28xchannels.

    Args:
        shape: (size, size, channels) of the images; size is 4, 5, 6 or 7 doubled at least once.
        latent_dim: Length of a latent vector.
        width: Filters of the layer before the image; doubled with every halving of the size.
        seed: Integer from which the initial weights follow.
        classes: Number of classes, whose labels are a second input; 0: none.
        between: Function applied between a normalisation and its rectifier, to the features and
            to the input of the first layer; None: none.

    Returns:
        Model from float (batch, latent_dim), with labels int64 (batch,) if there are classes, to
        float32 (batch, size, size, channels).

    Raises:
        UsageError: it makes no images of that size.
    """
    start, doublings = sizes(shape, "plain")
    filters = [filters_after(width, i) for i in reversed(range(doublings))]
    draw = WeightSeeds(seed, GENERATOR_WEIGHTS)

    def activated(x):
        x = normalise(x)
        return _leaky(between(x, first) if between else x)

    inputs, first = labels.inputs(latent_dim, classes)
    x = layers.Dense(
        start * start * filters[0], use_bias=False, kernel_initializer=_initializer(draw)
    )(first)
    x = activated(layers.Reshape((start, start, filters[0]))(x))
    for count in filters[1:]:
        x = DoublingConv2DTranspose(
            count, 4, 2, "same", use_bias=False, kernel_initializer=_initializer(draw)
        )(x)
        x = activated(x)
    x = DoublingConv2DTranspose(shape[-1], 4, 2, "same", kernel_initializer=_initializer(draw))(x)
    # Under a mixed precision policy the pixels are float32 all the same.
    images = layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, images, name="generator")


def discriminator(shape: Sequence[int], width: int, seed: int) -> keras.Model:
    """Strided convolutions that halve the image, a dense layer, then one logit.

    28 pixels with width 64: 28x28xchannels -> 14x14x64 -> 7x7x128 -> 256 -> 1.

    Args:
        shape: (size, size, channels) of the images; size is 4, 5, 6 or 7 doubled at least once.
        width: Filters of the first convolution; doubled with every halving of the size.
        seed: Integer from which the initial weights follow.

    Returns:
        Model from float (batch, size, size, channels) to float32 logits (batch, 1).

    Raises:
        UsageError: it reads no images of that size.
    """
    _, halvings = sizes(shape, "plain")
    draw = WeightSeeds(seed, DISCRIMINATOR_WEIGHTS)

    images = x = keras.Input(shape, name="images")
    for i in range(halvings):
        x = HalvingConv2D(
            filters_after(width, i), 4, 2, "same", kernel_initializer=_initializer(draw)
        )(x)
        x = _leaky(x)
    x = layers.Flatten()(x)
    x = _leaky(layers.Dense(FEATURES * width, kernel_initializer=_initializer(draw))(x))
    logits = layers.Dense(1, dtype="float32", kernel_initializer=_initializer(draw))(x)
    return keras.Model(images, logits, name="discriminator")


def _leaky(x):
    return layers.LeakyReLU(negative_slope=SLOPE)(x)


def _initializer(draw):
    # Not He's, which is made for rectifiers: its weights of a layer with few inputs are ten times
    # as large. In G, where normalisation follows, that makes learning as much slower; D, which has
    # none, starts so steep that it wins before G has moved.
    return keras.initializers.GlorotUniform(seed=draw)
