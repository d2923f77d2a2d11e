"""The layers that halve and double an image, and grouped ones, against those of Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras.networks.convolution import (
    DoublingConv2DTranspose,
    GroupedConv2D,
    HalvingConv2D,
)

PAIRS = [(HalvingConv2D, layers.Conv2D), (DoublingConv2DTranspose, layers.Conv2DTranspose)]
# The unit roundoffs of the formats: half of what lies between 1 and the number after it.
UNIT = {"float64": 2**-53, "bfloat16": 2**-8}
BATCH = 6


def make(kind, sides, inputs, outputs, dtype, **arguments):
    options = {"strides": 2, "padding": "same"} | arguments
    layer = kind(outputs, options.pop("kernel_size", 4), dtype=dtype, **options)
    layer.build((BATCH, *sides, inputs))
    draws = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(draws.normal(size=weight.shape))
    return layer


def differentiate(layer, x, training):
    """Returns what a layer gives, and the gradients of a sum of squares of it."""

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
            loss = tf.reduce_sum(tf.cast(y, tf.float64) ** 2)
        return y, *tape.gradient(loss, [x, *(weight.value for weight in layer.weights)])

    results = step(tf.cast(x, layer.compute_dtype))
    assert results[0].dtype == results[1].dtype == layer.compute_dtype
    names = ("outputs", "inputs' gradient", "kernel's gradient", "bias' gradient")
    return dict(zip(names, [tf.cast(each, tf.float64).numpy() for each in results], strict=True))


def images(sides, channels, dtype="float64"):
    x = np.random.default_rng(0).normal(size=(BATCH, *sides, channels))
    return tf.cast(tf.cast(x, dtype), tf.float64)


# Few or many channels on either side.
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 6), (6, 1), (6, 3), (4, 5), (5, 4), (6, 7)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_values_and_gradients_are_keras_s(ours, theirs, inputs, outputs, training):
    sides = (6, 10)
    given, expected = (
        differentiate(
            make(kind, sides, inputs, outputs, "float64"), images(sides, inputs), training
        )
        for kind in (ours, theirs)
    )
    for name, value in expected.items():
        # Sums of at most so many products, whose roundings are all alike at worst.
        limit = BATCH * 4 * np.prod(sides) * UNIT["float64"] * np.abs(value).max()
        assert_allclose(given[name], value, rtol=0, atol=limit, err_msg=name)


@pytest.mark.parametrize("side", [8, 20], ids=["small", "large"])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 6), (6, 3), (6, 7)])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_bfloat16_is_as_near_to_the_truth_as_keras_s(ours, theirs, inputs, outputs, side):
    """Sums are in float32 and rounded once: from the inputs on, and from upstream gradients on."""
    sides = (side, side)
    x = images(sides, inputs, "bfloat16")
    exact = make(theirs, sides, inputs, outputs, "float64")
    # What bfloat16 makes of the weights is no error of the layer's.
    for weight in exact.weights:
        weight.assign(tf.cast(tf.cast(weight, tf.bfloat16), tf.float64))
    truth = differentiate(exact, x, training=True)
    errors = []
    for kind in (ours, theirs):
        layer = make(kind, sides, inputs, outputs, "mixed_bfloat16")
        assert {weight.dtype for weight in layer.weights} == {"float32"}
        layer.set_weights(exact.get_weights())
        given = differentiate(layer, x, training=True)
        errors.append({name: np.abs(given[name] - truth[name]).max() for name in truth})
    for name, ours_error in errors[0].items():
        largest = np.abs(truth[name]).max()
        assert ours_error <= errors[1][name] + 2 * UNIT["bfloat16"] * largest, name


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 3},
        {"strides": 1},
        {"padding": "valid"},
        {"strides": 1, "dilation_rate": 2},
    ],
    ids=["kernel 3", "stride 1", "valid", "dilated"],
)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_anything_else_is_keras_s_to_the_bit(ours, theirs, arguments):
    assert_same_bits(ours, theirs, **arguments)


def test_an_odd_side_is_keras_s_to_the_bit():
    assert_same_bits(HalvingConv2D, layers.Conv2D)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_where_there_is_a_gpu_it_is_keras_s_to_the_bit(ours, theirs, monkeypatch):
    """cuDNN has kernels of its own; the answer is replaced, the arithmetic is this CPU's."""
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr("gan_keras.networks.convolution.halve", None)
    monkeypatch.setattr("gan_keras.networks.convolution.double", None)
    assert_same_bits(ours, theirs, sides=(8, 8))


def assert_same_bits(ours, theirs, sides=(9, 9), **arguments):
    given, expected = (
        differentiate(make(kind, sides, 3, 2, "float32", **arguments), images(sides, 3), True)
        for kind in (ours, theirs)
    )
    for name, value in expected.items():
        assert_array_equal(given[name], value, err_msg=name)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_second_derivatives_are_keras_s(ours, theirs):
    """Penalties on gradients need them."""

    def penalty_gradients(kind):
        layer = make(kind, (8, 8), 3, 2, "float64", activation="tanh")
        x = images((8, 8), 3)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = layer(x, training=True)
            penalty = tf.reduce_sum(inner.gradient(y, x) ** 2)
        return outer.gradient(penalty, layer.trainable_variables)

    given, expected = penalty_gradients(ours), penalty_gradients(theirs)
    for a, b in zip(given, expected, strict=True):
        assert_allclose(a, b, rtol=1e-10)


def kernels_by_forward_convolution(layer, side, inputs, dtype):
    """How many operators of a gradient are convolutions with their examples as channels."""

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            y = layer(x, training=True)
        return tape.gradient(y, layer.kernel.value)

    shape = (BATCH, side, side, inputs)
    graph = gradient.get_concrete_function(tf.TensorSpec(shape, dtype)).graph
    operators = [each for each in graph.get_operations() if each.type == "Conv2D"]
    return sum(list(each.get_attr("dilations")) == [1, 2, 2, 1] for each in operators)


@pytest.mark.parametrize(
    ("dtype", "side", "channels", "expected"),
    [
        ("bfloat16", 16, 5, 1),
        ("bfloat16", 18, 5, 0),
        ("bfloat16", 16, 4, 0),
        ("float32", 16, 5, 0),
    ],
    ids=["small bfloat16", "large", "few channels", "float32"],
)
def test_only_small_bfloat16_kernels_have_their_own_gradient(dtype, side, channels, expected):
    layer = make(HalvingConv2D, (side, side), channels, 6, dtype)
    assert kernels_by_forward_convolution(layer, side, channels, dtype) == expected


def test_a_gpu_keeps_its_own_kernels(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind])
    layer = make(HalvingConv2D, (16, 16), 5, 6, "bfloat16")
    assert kernels_by_forward_convolution(layer, 16, 5, "bfloat16") == 0


@pytest.mark.parametrize(("training", "expected"), [(True, 2), (False, 0)])
def test_sampling_carries_no_gradients_along(training, expected):
    """TensorFlow marks a gradient of somebody's own by an `IdentityN`: the kernel's, the bias'."""
    layer = make(DoublingConv2DTranspose, (8, 8), 6, 1, "float32")
    spec = tf.TensorSpec((None, 8, 8, 6))
    graph = tf.function(lambda x: layer(x, training=training)).get_concrete_function(spec).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("IdentityN") == expected


def test_an_unknown_batch_leaves_the_sides_known():
    images = keras.Input((14, 14, 3))
    halved = HalvingConv2D(6, 4, 2, "same")(images)
    doubled = DoublingConv2DTranspose(2, 4, 2, "same")(halved)
    assert halved.shape == (None, 7, 7, 6)
    assert doubled.shape == (None, 14, 14, 2)
    spec = tf.TensorSpec((None, 14, 14, 3))
    graph = tf.function(keras.Model(images, doubled)).get_concrete_function(spec)
    assert graph.structured_outputs.shape.as_list() == [None, 14, 14, 2]


def stack(*kinds):
    images = keras.Input((8, 8, 2))
    return keras.Sequential([images, *(kind(3, 4, 2, "same") for kind in kinds)])


@pytest.mark.parametrize("way", [0, 1], ids=["ours into theirs", "theirs into ours"])
def test_a_checkpoint_of_one_restores_into_the_other(way, tmp_path):
    models = [stack(*pair) for pair in zip(*PAIRS, strict=True)]
    saved, restored = models[way], models[1 - way]
    path = tf.train.Checkpoint(network=saved).save(tmp_path / "weights")
    tf.train.Checkpoint(network=restored).restore(path).assert_consumed()
    for a, b in zip(saved.weights, restored.weights, strict=True):
        assert_array_equal(a, b)


def test_round_trip_through_a_keras_file(tmp_path):
    model = stack(HalvingConv2D, DoublingConv2DTranspose)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == [HalvingConv2D, DoublingConv2DTranspose]
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    assert_array_equal(loaded(x), model(x))


@pytest.mark.parametrize("groups", [1, 3])
def test_groups_are_keras_s(groups):
    sides, arguments = (4, 5), {"strides": 1, "kernel_size": 3, "groups": groups}
    given, expected = (
        differentiate(
            make(kind, sides, 6, 9, "float64", **arguments), images(sides, 6), training=True
        )
        for kind in (GroupedConv2D, layers.Conv2D)
    )
    for name, values in expected.items():
        scale = np.abs(values).max()
        assert_allclose(given[name], values, rtol=0, atol=1e-13 * scale, err_msg=name)


@pytest.mark.parametrize(("devices", "convolutions"), [([], 3), (["GPU:0"], 1)])
def test_groups_are_convolutions_of_their_own_without_a_gpu(devices, convolutions, monkeypatch):
    """And nothing that XLA would have to compile, which takes a hundred times as long."""
    layer = make(GroupedConv2D, (4, 5), 6, 9, "float32", strides=1, kernel_size=3, groups=3)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: devices)
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((2, 4, 5, 6))).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("Conv2D") == convolutions
    assert not any("PartitionedCall" in kind for kind in kinds)
