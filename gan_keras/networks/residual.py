"""Residual networks without normalisation, in the manner of R3GAN.

A block is an inverted bottleneck: 1x1 to twice the filters, a grouped 3x3, and 1x1 back. It starts
as the identity, and the initial weights of its first two layers are smaller in deeper networks
(Fixup), so that the variance does not grow with depth. Hence nothing needs to be normalised, and an
example's logit depends on that example alone. Sizes change by bilinear resampling.

References:
    Huang et al. 2024, https://arxiv.org/abs/2501.05441
    Fixup: Zhang et al. 2019, https://arxiv.org/abs/1901.09321
    Initial weights: He et al. 2015, https://arxiv.org/abs/1502.01852
"""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import layers

from gan_keras.config.random_streams import DISCRIMINATOR_WEIGHTS, GENERATOR_WEIGHTS
from gan_keras.networks import labels
from gan_keras.networks.convolution import GroupedConv2D
from gan_keras.networks.dcgan import filters_after, sizes
from gan_keras.networks.initial_weights import WeightSeeds

SLOPE = 0.2
BLOCKS = 1  # At each size. R3GAN has 2; in a short training, 1 learns more in the same time.
EXPANSION = 2
GROUP = 16  # Filters that a 3x3 convolution mixes.


def generator(
    shape: Sequence[int], latent_dim: int, width: int, seed: int, classes: int = 0
) -> keras.Model:
    """A learned square, scaled by the latents; blocks, with doublings in between; then tanh.

    28 pixels with width 16: 100 -> 7x7x64 -> 14x14x32 -> 28x28x16 -> 28x28xchannels. That width
    is for two CPU cores at 28 and 32 pixels; 64 and more are for a GPU.

    Args:
        shape: (size, size, channels) of the images; size is 4, 5, 6 or 7 doubled at least once.
        latent_dim: Length of a latent vector.
        width: Filters at the images' size; doubled with every halving of the size.
        seed: Integer from which the initial weights follow.
        classes: Number of classes, whose labels are a second input; 0: none.

    Returns:
        Model from float (batch, latent_dim), with labels int64 (batch,) if there are classes, to
        float32 (batch, size, size, channels).

    Raises:
        UsageError: it makes no images of that size.
    """
    start, doublings = sizes(shape, "residual")
    filters = [filters_after(width, i) for i in reversed(range(doublings + 1))]
    draw = WeightSeeds(seed, GENERATOR_WEIGHTS)

    inputs, x = labels.inputs(latent_dim, classes)
    x = layers.Dense(filters[0], use_bias=False, kernel_initializer=_he(draw, 1.0))(x)
    x = Square(start, keras.initializers.RandomNormal(stddev=1.0, seed=draw))(x)
    x = _blocks(x, doublings + 1, draw)
    for count in filters[1:]:
        x = _resized(x, count, Doubling(), draw, first=True)
        x = _blocks(x, doublings + 1, draw)
    x = layers.Conv2D(shape[-1], 1, kernel_initializer=_he(draw, 1.0))(x)
    # Under a mixed precision policy the pixels are float32 all the same.
    images = layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, images, name="generator")


def discriminator(shape: Sequence[int], width: int, seed: int) -> keras.Model:
    """The generator's mirror: blocks, with halvings in between; a sum over places; one logit.

    28 pixels with width 16: 28x28xchannels -> 28x28x16 -> 14x14x32 -> 7x7x64 -> 64 -> 1.

    Args:
        shape: (size, size, channels) of the images; size is 4, 5, 6 or 7 doubled at least once.
        width: Filters at the images' size; doubled with every halving of the size.
        seed: Integer from which the initial weights follow.

    Returns:
        Model from float (batch, size, size, channels) to float32 logits (batch, 1).

    Raises:
        UsageError: it reads no images of that size.
    """
    _, halvings = sizes(shape, "residual")
    draw = WeightSeeds(seed, DISCRIMINATOR_WEIGHTS)

    images = keras.Input(shape, name="images")
    x = layers.Conv2D(width, 1, kernel_initializer=_he(draw, 1.0))(images)
    x = _blocks(x, halvings + 1, draw)
    for i in range(1, halvings + 1):
        # The mean of 2 x 2 pixels is what bilinear resampling has at every second pixel's edge.
        halving = layers.AveragePooling2D(2)
        x = _resized(x, filters_after(width, i), halving, draw, first=False)
        x = _blocks(x, halvings + 1, draw)
    x = PlaceSum(_he(draw, 1.0))(x)
    logits = layers.Dense(1, dtype="float32", kernel_initializer=_he(draw, 1.0))(x)
    return keras.Model(images, logits, name="discriminator")


def _resized(x, filters, resize, draw, first):
    """Changes the size and the number of filters, with the 1x1 where the image is small."""

    def refilter(x):
        if x.shape[-1] == filters:
            return x
        return layers.Conv2D(filters, 1, use_bias=False, kernel_initializer=_he(draw, 1.0))(x)

    return resize(refilter(x)) if first else refilter(resize(x))


def _blocks(x, sizes, draw):
    """Residual blocks x + f(x) at one of `sizes` sizes; f is 0 at first."""
    filters = x.shape[-1]
    expanded = EXPANSION * filters
    groups = expanded // GROUP if expanded % GROUP == 0 else 1
    # Fixup: with L blocks of m layers each the gain of all but the last is L^(-1/(2m - 2)).
    gain = 2.0 / (1.0 + SLOPE**2) * (sizes * BLOCKS) ** -0.5
    for _ in range(BLOCKS):
        y = layers.Conv2D(expanded, 1, kernel_initializer=_he(draw, gain))(x)
        y = layers.LeakyReLU(negative_slope=SLOPE)(y)
        y = GroupedConv2D(
            expanded, 3, padding="same", groups=groups, kernel_initializer=_he(draw, gain)
        )(y)
        y = layers.LeakyReLU(negative_slope=SLOPE)(y)
        y = layers.Conv2D(filters, 1, use_bias=False, kernel_initializer="zeros")(y)
        x = layers.Add()([x, y])
    return x


def _he(draw, gain):
    """Kernels whose variance is `gain` over the number of a unit's inputs."""
    return keras.initializers.VarianceScaling(gain, "fan_in", "normal", seed=draw)


@keras.saving.register_keras_serializable(package="gan_keras")
class Square(layers.Layer):
    """A learned square of features, each scaled by a number: (batch, n) to (batch, side, side, n).

    Args:
        side: Height and width of the square.
        initializer: Of its (side, side, n) weights.
    """

    def __init__(self, side, initializer, **kwargs):
        super().__init__(**kwargs)
        self.side = side
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        shape = (self.side, self.side, input_shape[-1])
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.initializer)

    def call(self, inputs):
        return inputs[:, None, None, :] * tf.convert_to_tensor(self.kernel)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.side, self.side, input_shape[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "side": self.side,
            "initializer": keras.initializers.serialize(self.initializer),
        }


@keras.saving.register_keras_serializable(package="gan_keras")
class PlaceSum(layers.Layer):
    """The transpose of `Square`: the weighted sum of each feature over all places.

    (batch, height, width, n) to (batch, n).

    Args:
        initializer: Of the (height, width, 1, n) weights, which are those of a depthwise
            convolution over the whole image.
    """

    def __init__(self, initializer, **kwargs):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        height, width, count = input_shape[1:]
        shape = (height, width, 1, count)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.initializer)

    def call(self, inputs):
        return tf.reduce_sum(inputs * tf.convert_to_tensor(self.kernel)[:, :, 0], axis=(1, 2))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}


@keras.saving.register_keras_serializable(package="gan_keras")
class Doubling(layers.Layer):
    """Bilinear resampling to twice the size, (batch, h, w, n) to (batch, 2 h, 2 w, n).

    The same as `tf.image.resize`, by operators that have any dtype and order of derivatives.
    """

    def call(self, inputs):
        return _double(_double(inputs, 1), 2)

    def compute_output_shape(self, input_shape):
        batch, height, width, count = input_shape
        return (batch, 2 * height, 2 * width, count)


def _double(x, axis):
    """Each pixel becomes two, 3/4 of it and 1/4 of its neighbour's on that side."""
    size = x.shape[axis]
    first, rest = tf.split(x, [1, size - 1], axis)
    others, last = tf.split(x, [size - 1, 1], axis)
    before, after = tf.concat([first, others], axis), tf.concat([rest, last], axis)
    pairs = tf.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
    shape = [2 * size if i == axis else length for i, length in enumerate(x.shape)]
    return tf.reshape(pairs, [-1, *shape[1:]])
