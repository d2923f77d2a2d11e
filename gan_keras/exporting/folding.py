"""A generator that only samples: batch normalisation folded into the layers before it.

With moving statistics m and v, batch normalisation is an affine map of each channel, and so can
be part of the linear layer before it:

    gamma (W x + b - m) / sqrt(v + epsilon) + beta = (s W) x + s (b - m) + beta,
    s = gamma / sqrt(v + epsilon)

Reference: Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3.2
"""

import collections

import keras
import numpy as np
from keras import layers, tree

from gan_keras.networks import DoublingConv2DTranspose, HalvingConv2D

# Linear layers, and the axis of their kernels that counts the output's channels.
_CHANNEL_AXES = {
    layers.Dense: -1,
    layers.Conv2D: -1,
    HalvingConv2D: -1,
    layers.Conv2DTranspose: -2,
    DoublingConv2DTranspose: -2,
}


def fold(generator, dtype="float32"):
    """Returns a copy of a generator that computes its `training=False` with fewer layers.

    A batch normalisation that follows a linear layer, at once or with a `Reshape` between, goes
    into the kernel and the bias of that layer; any other stays.

    Args:
        generator: Functional model, also of several inputs; it stays as it is.
        dtype: What the weights are kept in and the layers compute in: `float32` or `bfloat16`.
            The layers after the last weights, as a tanh, compute in float32 all the same. In
            bfloat16 a picture may come out a little different in a batch of another size.

    Returns:
        Functional model from the same inputs to the same outputs, in float32.
    """
    normalizations = _foldable(generator)
    gone = set(normalizations.values())
    exact = _exact_layers(generator)

    copies = {}

    def copy(layer):
        if layer in gone or not isinstance(layer, layers.Layer):  # Plain operations keep nothing.
            return layer
        config = layer.get_config() | {"dtype": "float32" if layer in exact else dtype}
        if layer in normalizations:
            config["use_bias"] = True
        copies[layer] = type(layer).from_config(config)
        return copies[layer]

    def call(layer, inputs, *arguments, **options):
        return inputs if layer in gone else layer(inputs, *arguments, **options)

    folded = keras.models.clone_model(generator, clone_function=copy, call_function=call)
    for layer, its_copy in copies.items():
        if layer in normalizations:
            its_copy.set_weights(_fold(layer, normalizations[layer]))
        else:
            its_copy.set_weights(layer.get_weights())
    return folded


def _foldable(generator):
    """Returns what goes where: linear layer -> the normalisation that alone reads its output."""
    made = [each for each in generator.operations if not isinstance(each, layers.InputLayer)]
    makers = {id(layer.output): layer for layer in made}
    readers = collections.Counter(id(tensor) for tensor in generator.outputs)
    for layer in made:
        readers.update(id(tensor) for tensor in tree.flatten(layer.input))

    def only_maker(tensor):
        return makers.get(id(tensor)) if readers[id(tensor)] == 1 else None

    found = {}
    for layer in made:
        if isinstance(layer, layers.BatchNormalization):
            maker = only_maker(layer.input)
            if isinstance(maker, layers.Reshape):
                maker = only_maker(maker.input)
            if _takes(maker, layer):
                found[maker] = layer
    return found


def _takes(layer, normalization):
    """Whether a layer is linear and its channels are the normalisation's, once or repeated.

    Repeated where a `Reshape` stands between: channels are the last axis, which runs fastest,
    so that unit i of a Dense becomes a pixel of channel i mod channels.
    """
    return (
        type(layer) in _CHANNEL_AXES
        and layer.activation is keras.activations.linear
        and normalization.axis in (-1, normalization.input.ndim - 1)
        and layer.kernel.shape[_CHANNEL_AXES[type(layer)]] % normalization.input.shape[-1] == 0
    )


def _fold(layer, normalization):
    """Returns the kernel and the bias of a linear layer with its normalisation in them."""
    mean, variance = _array(normalization.moving_mean), _array(normalization.moving_variance)
    scale = 1.0 / np.sqrt(variance + normalization.epsilon)
    if normalization.scale:
        scale *= _array(normalization.gamma)
    offset = -mean * scale
    if normalization.center:
        offset += _array(normalization.beta)

    kernel, axis = _array(layer.kernel), _CHANNEL_AXES[type(layer)]
    times = kernel.shape[axis] // len(scale)
    scale, offset = np.tile(scale, times), np.tile(offset, times)
    bias = _array(layer.bias) * scale if layer.use_bias else 0.0
    return np.moveaxis(np.moveaxis(kernel, axis, -1) * scale, -1, axis), bias + offset


def _array(weight):
    # float64, so that the fold is rounded once.
    return keras.ops.convert_to_numpy(weight).astype(np.float64)


def _exact_layers(generator):
    """Returns the layers that compute in float32: those after all weights, and the last one."""
    *_, last = (i for i, layer in enumerate(generator.layers) if layer.weights)
    return {*generator.layers[last + 1 :], generator.layers[-1]}
