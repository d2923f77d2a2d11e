"""Convolutions that halve and double an image, and grouped ones, computed as a CPU is quick at.

Two of oneDNN's operators take several times as long as their arithmetic: a transposed convolution
to few channels, and, in bfloat16, the gradient of a kernel with respect to small images. Here they
are written as convolutions of another shape. docs/performance.md has the times of both.
"""

import keras
import tensorflow as tf
from keras import layers

FEW_CHANNELS = 4  # Of an image: gray, colour, and with an alpha channel.
SMALL_SIDE = 8  # Pixels; with larger images the library's own gradient is as fast.


@keras.saving.register_keras_serializable(package="gan_keras")
class HalvingConv2D(layers.Conv2D):
    """`keras.layers.Conv2D`: the same arguments, weights and results, up to rounding.

    With a kernel of 4, strides of 2 and `same` padding its gradients are those of this module;
    anything else is left to Keras.
    """

    def call(self, inputs):
        sides = inputs.shape[1:3]
        if not _fits(self) or None in sides or any(side % 2 for side in sides):
            return super().call(inputs)
        outputs = halve(inputs, tf.convert_to_tensor(self.kernel))
        if self.use_bias:
            outputs = add_bias(outputs, tf.convert_to_tensor(self.bias))
        return self.activation(outputs)


@keras.saving.register_keras_serializable(package="gan_keras")
class DoublingConv2DTranspose(layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose`: the same arguments, weights and results, up to rounding.

    With a kernel of 4, strides of 2 and `same` padding it is computed by this module; anything
    else is left to Keras.
    """

    def call(self, inputs, training=None):
        if not _fits(self) or self.output_padding is not None or None in inputs.shape[1:3]:
            return super().call(inputs)
        # An exported graph needs no gradients, and who loads it is warned of those of our own.
        transpose, add = (double, add_bias) if training else (_double, tf.nn.bias_add)
        outputs = transpose(inputs, tf.convert_to_tensor(self.kernel))
        if self.use_bias:
            outputs = add(outputs, tf.convert_to_tensor(self.bias))
        return self.activation(outputs)


@keras.saving.register_keras_serializable(package="gan_keras")
class GroupedConv2D(layers.Conv2D):
    """`keras.layers.Conv2D`: the same arguments, weights and results, up to rounding.

    Keras lets XLA compile a convolution in groups for a CPU, where it takes a hundred times as
    long, and TensorFlow's own kernels without oneDNN have no gradient of it. Here each group is a
    convolution of its own; on a GPU cuDNN knows groups.
    """

    def call(self, inputs):
        if self.data_format != "channels_last":
            return super().call(inputs)
        kernel = tf.convert_to_tensor(self.kernel)
        count = 1 if tf.config.get_visible_devices("GPU") else self.groups
        padding = self.padding.upper()
        parts = [
            tf.nn.conv2d(images, part, self.strides, padding, dilations=self.dilation_rate)
            for images, part in zip(
                tf.split(inputs, count, -1), tf.split(kernel, count, -1), strict=True
            )
        ]
        outputs = tf.concat(parts, -1)
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(self.bias))
        return self.activation(outputs)


def _fits(layer):
    return (
        layer.kernel_size == (4, 4)
        and layer.strides == (2, 2)
        and layer.padding == "same"
        and layer.dilation_rate == (1, 1)
        and layer.data_format == "channels_last"
        and getattr(layer, "groups", 1) == 1
        # cuDNN has kernels of its own for all of this.
        and not tf.config.get_visible_devices("GPU")
    )


@tf.custom_gradient
def halve(images, kernel):
    """A convolution of stride 2 and `same` padding.

    Args:
        images: (batch, 2 height, 2 width, channels), the sizes known and even.
        kernel: (4, 4, channels, filters), of the same dtype.

    Returns:
        (batch, height, width, filters).
    """

    def gradients(upstream):
        return double(upstream, kernel), _kernel_gradient(images, upstream)

    return tf.nn.conv2d(images, kernel, 2, "SAME"), gradients


@tf.custom_gradient
def double(images, kernel):
    """The transpose of `halve`.

    Args:
        images: (batch, height, width, filters), the sizes known.
        kernel: (4, 4, channels, filters), of the same dtype.

    Returns:
        (batch, 2 height, 2 width, channels).
    """

    def gradients(upstream):
        return halve(upstream, kernel), _kernel_gradient(upstream, images)

    return _double(images, kernel), gradients


@tf.custom_gradient
def add_bias(images, bias):
    """`tf.nn.bias_add`, whose own gradient adds up a batch of pixels in bfloat16."""

    def gradients(upstream):
        wide = tf.float64 if bias.dtype == tf.float64 else tf.float32
        total = tf.reduce_sum(tf.cast(upstream, wide), axis=(0, 1, 2))
        return upstream, tf.cast(total, bias.dtype)

    return tf.nn.bias_add(images, bias), gradients


def _double(images, kernel):
    channels = kernel.shape[2]
    if channels <= FEW_CHANNELS:
        return double_by_shuffling(images, kernel)
    _, height, width, _ = images.shape
    shape = (tf.shape(images)[0], 2 * height, 2 * width, channels)
    return tf.nn.conv2d_transpose(images, kernel, shape, 2, "SAME")


def double_by_shuffling(images, kernel):
    """`double` by a convolution to the 2 x 2 pixels that each pixel becomes.

    A pixel of the result is a sum over 2 x 2 pixels of the image, by one of four kernels: which,
    depends on whether its row and column are even or odd. The convolution computes all four at
    once, and its channels then become neighbours.

    Reference: Shi et al. 2016, https://arxiv.org/abs/1609.07009
    """
    channels, filters = kernel.shape[2:]
    # Row r of the kernel belongs to the image's row u and the result's row p where r = 2 + p - 2u.
    parts = tf.reshape(kernel, (2, 2, 2, 2, channels, filters))[::-1, :, ::-1]
    four = tf.reshape(tf.transpose(parts, (0, 2, 5, 1, 3, 4)), (2, 2, filters, 4 * channels))
    around = tf.nn.conv2d(images, four, 1, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return tf.nn.depth_to_space(around, 2)[:, 1:-1, 1:-1]


def is_quick_by_convolution(images, upstream):
    """Whether `kernel_gradient_by_convolution` is quicker than the library's own gradient."""
    return (
        images.dtype == tf.bfloat16
        and images.shape[-1] > FEW_CHANNELS
        and max(upstream.shape[1:3]) <= SMALL_SIDE
    )


def _kernel_gradient(images, upstream):
    """Returns the gradient of `halve` with respect to its kernel."""
    if is_quick_by_convolution(images, upstream):
        return kernel_gradient_by_convolution(images, upstream)
    return tf.raw_ops.Conv2DBackpropFilter(
        input=images,
        filter_sizes=[4, 4, images.shape[-1], upstream.shape[-1]],
        out_backprop=upstream,
        strides=[1, 2, 2, 1],
        padding="SAME",
    )


def kernel_gradient_by_convolution(images, upstream):
    """The same by a convolution of the images by the upstream gradient.

    The gradient of a tap is a sum of products over all pixels of all examples: so examples are
    the channels of that convolution, channels its batch, and 4 x 4 taps its pixels.

    Args:
        images: (batch, 2 height, 2 width, channels).
        upstream: (batch, height, width, filters), of the same dtype.

    Returns:
        (4, 4, channels, filters).
    """
    taps = tf.nn.conv2d(
        tf.transpose(images, (3, 1, 2, 0)),
        tf.transpose(upstream, (1, 2, 0, 3)),
        1,
        [[0, 0], [1, 1], [1, 1], [0, 0]],
        dilations=2,
    )
    return tf.transpose(taps, (1, 2, 0, 3))
