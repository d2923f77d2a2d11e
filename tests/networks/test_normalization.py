"""The fused layer against Keras' own: values, gradients, statistics, checkpoints, replicas."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras import networks
from gan_keras.data.pipeline import untuned
from gan_keras.game.gan import GAN
from gan_keras.networks import normalization
from gan_keras.networks.normalization import FusedBatchNormalization

# The unit roundoffs of the formats: half of what lies between 1 and the number after it.
UNIT = {"float32": 2**-24, "bfloat16": 2**-8, "float16": 2**-11}
SHAPES = [(24, 12), (16, 7, 7, 12)]


def make(kind, shape, dtype=None, **arguments):
    layer = kind(momentum=0.9, epsilon=1e-5, synchronized=True, dtype=dtype, **arguments)
    layer.build(shape)
    draws = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(draws.uniform(0.5, 1.5, weight.shape))
    return layer


def batches(shape, mean, deviation, dtype, count=3):
    """Inputs and gradients of outputs, as float64 that the dtype holds exactly."""
    draws = np.random.default_rng(0)
    for _ in range(count):
        pair = draws.normal(mean, deviation, shape), draws.normal(size=shape)
        yield [tf.cast(tf.cast(array, dtype), "float64") for array in pair]


def train(layer, pairs):
    """Returns what the last batch gives, and where the statistics have moved."""

    @tf.function
    def step(x, y_gradient):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        sources = [x, layer.gamma.value, layer.beta.value]
        return y, *tape.gradient(y, sources, output_gradients=y_gradient)

    for pair in pairs:
        results = step(*(tf.cast(array, layer.compute_dtype) for array in pair))
    assert results[0].dtype == results[1].dtype == layer.compute_dtype
    results = [tf.cast(result, tf.float64).numpy() for result in results]
    names = ("y", "x gradient", "gamma gradient", "beta gradient")
    moved = {"mean": layer.moving_mean.numpy(), "variance": layer.moving_variance.numpy()}
    return dict(zip(names, results, strict=True)) | moved


def assert_near(ours, exact, name, roundings=64):
    """Within some dozen float32 roundings of numbers as large as the largest."""
    limit = roundings * UNIT["float32"] * np.abs(exact).max()
    assert_allclose(ours, exact, rtol=0, atol=limit, err_msg=name)


@pytest.mark.parametrize(("mean", "deviation"), [(1, 2), (0, 1e-3)], ids=["wide", "narrow"])
@pytest.mark.parametrize("shape", SHAPES, ids=["rank2", "rank4"])
def test_training_is_keras_s(shape, mean, deviation):
    """The narrow batch has a variance below epsilon: another epsilon would show."""
    pairs = list(batches(shape, mean, deviation, "float32"))
    exact = train(make(layers.BatchNormalization, shape, "float64"), pairs)
    ours = train(make(FusedBatchNormalization, shape), pairs)
    for name, value in exact.items():
        assert_near(ours[name], value, name)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("shape", SHAPES, ids=["rank2", "rank4"])
def test_mixed_precision_rounds_once(shape, dtype):
    """All is computed in float32; only what leaves in the short format is rounded to it."""
    pairs = list(batches(shape, 1, 2, dtype))
    exact = train(make(layers.BatchNormalization, shape, "float64"), pairs)
    layer = make(FusedBatchNormalization, shape, f"mixed_{dtype}")
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    ours = train(layer, pairs)
    for name in ("y", "x gradient"):
        limit = 64 * UNIT["float32"] * np.abs(exact[name]).max()
        assert_allclose(ours[name], exact[name], rtol=UNIT[dtype], atol=limit, err_msg=name)
        assert np.any(np.abs(ours[name] - exact[name]) > limit)  # It was the short format.
    for name in ("gamma gradient", "beta gradient", "mean", "variance"):
        assert_near(ours[name], exact[name], name)


@pytest.mark.parametrize("shape", SHAPES, ids=["rank2", "rank4"])
def test_second_derivatives_are_keras_s(shape):
    """Penalties on gradients need them."""
    ((x, y_gradient),) = batches(shape, 1, 2, "float32", count=1)

    def penalty_gradients(layer):
        inputs, weights = tf.cast(x, layer.compute_dtype), tf.cast(y_gradient, layer.compute_dtype)
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                y = layer(inputs, training=True)
            gradient = inner.gradient(y, inputs, output_gradients=weights)
            penalty = tf.reduce_sum(gradient**2)
        return outer.gradient(penalty, [inputs, layer.gamma.value])

    exact = penalty_gradients(make(layers.BatchNormalization, shape, "float64"))
    ours = penalty_gradients(make(FusedBatchNormalization, shape))
    for name, a, b in zip(("x", "gamma"), ours, exact, strict=True):
        assert_near(a, b, name)


@pytest.mark.parametrize("frozen", [False, True], ids=["training=False", "trainable=False"])
@pytest.mark.parametrize("shape", SHAPES, ids=["rank2", "rank4"])
def test_inference_is_keras_s(shape, frozen):
    ((x, _),) = batches(shape, 1, 2, "float32", count=1)
    outputs = []
    for kind, dtype in ((layers.BatchNormalization, "float64"), (FusedBatchNormalization, None)):
        layer = make(kind, shape, dtype)
        draws = np.random.default_rng(2)
        layer.moving_mean.assign(draws.normal(size=shape[-1]))
        layer.moving_variance.assign(draws.uniform(1, 4, shape[-1]))
        layer.trainable = not frozen
        before = layer.get_weights()
        outputs.append(layer(tf.cast(x, layer.compute_dtype), training=frozen))
        for a, b in zip(before, layer.get_weights(), strict=True):
            assert_array_equal(a, b)
    assert_near(outputs[1], outputs[0], "y")


@pytest.mark.parametrize("training", [True, False])
def test_it_is_one_operator(training):
    layer = make(FusedBatchNormalization, SHAPES[1])
    graph = tf.function(lambda x: layer(x, training=training)).get_concrete_function(
        tf.TensorSpec((None, *SHAPES[1][1:]))
    )
    operators = [operation.type for operation in graph.graph.get_operations()]
    assert operators.count("FusedBatchNormV3") == 1
    assert "SquaredDifference" not in operators


NEEDS_RENORM = pytest.mark.skipif(
    "renorm" not in inspect.signature(layers.BatchNormalization).parameters,
    reason="this release of Keras has no renormalisation",
)


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((4, 3, 5), {}),
        ((4, 3, 5, 2), {"axis": 1}),
        ((4, 3), {"dtype": "float64"}),
        ((4, 3), {"scale": False}),
        ((4, 3), {"center": False}),
        pytest.param((4, 3), {"renorm": True}, marks=NEEDS_RENORM),
    ],
    ids=["rank3", "axis1", "float64", "no gamma", "no beta", "renorm"],
)
@pytest.mark.parametrize("training", [True, False])
def test_what_the_operator_cannot_do_is_keras_s_to_the_bit(shape, arguments, training):
    x = np.random.default_rng(0).normal(1, 2, shape)
    ours = make(FusedBatchNormalization, shape, **arguments)
    theirs = make(layers.BatchNormalization, shape, **arguments)
    assert_array_equal(ours(x, training=training), theirs(x, training=training))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_array_equal(a, b)


def test_a_mask_is_kept():
    x, mask = np.random.default_rng(0).normal(1, 2, (4, 3)), np.array([True, True, False, True])
    ours, theirs = (make(k, x.shape) for k in (FusedBatchNormalization, layers.BatchNormalization))
    assert_array_equal(ours(x, training=True, mask=mask), theirs(x, training=True, mask=mask))


def networks_with(kind):
    """The two networks of a small DCGAN, with this layer for all batch normalisation."""

    def swap(layer):
        is_one = isinstance(layer, layers.BatchNormalization)
        return (kind if is_one else type(layer)).from_config(layer.get_config())

    built = networks.build("dcgan", shape=(16, 16, 1), latent_dim=5, width=4, seed=0)
    swapped = [keras.models.clone_model(network, clone_function=swap) for network in built]
    for network, original in zip(swapped, built, strict=True):
        network.set_weights(original.get_weights())
        assert kind in {type(layer) for layer in network.layers}
    return swapped


def test_steps_of_a_dcgan_are_those_with_keras_s_layer():
    real = np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 1)).astype("float32")
    gans = []
    for kind in (layers.BatchNormalization, FusedBatchNormalization):
        gan = GAN(*networks_with(kind), seed=3)
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
        one = untuned(tf.data.Dataset.from_tensors(real).repeat())
        gan.fit(one, steps_per_epoch=3, verbose=0, shuffle=False)
        gans.append(gan)
    start = networks_with(layers.BatchNormalization)
    for i, network in enumerate(("generator", "discriminator")):
        theirs, ours = (getattr(gan, network) for gan in gans)
        for before, a, b in zip(start[i].weights, theirs.weights, ours.weights, strict=True):
            # Weights and statistics of order one: float32 rounding of some hundred sums, and
            # nothing next to how far they went.
            assert_allclose(b, a, rtol=0, atol=5e-6, err_msg=a.path)
            assert np.abs(a.numpy() - before.numpy()).max() > 1e-4, a.path


@pytest.mark.parametrize("saved_with", [layers.BatchNormalization, FusedBatchNormalization])
def test_a_checkpoint_of_one_restores_into_the_other(saved_with, tmp_path):
    (other,) = {layers.BatchNormalization, FusedBatchNormalization} - {saved_with}
    saved, restored = networks_with(saved_with)[0], networks_with(other)[0]
    for weight in saved.weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    path = tf.train.Checkpoint(generator=saved).save(tmp_path / "weights")
    status = tf.train.Checkpoint(generator=restored).restore(path)
    status.assert_consumed()
    for a, b in zip(saved.weights, restored.weights, strict=True):
        assert a.name == b.name
        assert_array_equal(a, b)


def test_round_trip_through_a_keras_file(tmp_path):
    generator, _ = networks_with(FusedBatchNormalization)
    latents = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
    generator(latents, training=True)
    generator.save(tmp_path / "generator.keras")
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    for a, b in zip(generator.layers, loaded.layers, strict=True):
        assert type(a) is type(b)
        assert a.get_config() == b.get_config()
    assert_array_equal(loaded(latents), generator(latents))


@pytest.mark.parametrize("deterministic", [False, True])
def test_deterministic_inference_has_a_gradient_on_gpus(deterministic, monkeypatch):
    """TensorFlow has no deterministic kernel there for the fused operator's."""
    monkeypatch.setattr(normalization, "is_op_determinism_enabled", lambda: deterministic)
    layer = make(FusedBatchNormalization, (24, 12))

    @tf.function
    def gradient(x, training):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
        return tape.gradient(y, x)

    for training, fused in ((True, True), (False, not deterministic)):
        graph = gradient.get_concrete_function(tf.TensorSpec((24, 12)), training).graph
        kinds = {operation.type for operation in graph.get_operations()}
        assert ("FusedBatchNormGradV3" in kinds) is fused


REPLICAS = """
import sys
import numpy as np, tensorflow as tf
tf.config.set_visible_devices([], "GPU")
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.networks.test_normalization import FusedBatchNormalization, batches, make

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
shape = (16, 7, 7, 12)
with strategy.scope():
    layer = make(FusedBatchNormalization, shape)

def step(x, y_gradient):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    return y, *tape.gradient(y, [x, layer.gamma.value, layer.beta.value], y_gradient)

def part(array):
    halves = tf.split(tf.cast(array, tf.float32), 2)
    return strategy.experimental_distribute_values_from_function(
        lambda context: halves[context.replica_id_in_sync_group])

for pair in batches(shape, 1, 2, "float32"):
    results = tf.function(strategy.run)(step, args=[part(array) for array in pair])
y, x_gradient, gamma_gradient, beta_gradient = map(strategy.experimental_local_results, results)
np.savez(sys.argv[1], **{
    "y": np.concatenate(y), "x gradient": np.concatenate(x_gradient),
    "gamma gradient": sum(gamma_gradient).numpy(), "beta gradient": sum(beta_gradient).numpy(),
    "mean": layer.moving_mean.numpy(), "variance": layer.moving_variance.numpy()})
"""


def test_two_replicas_have_the_statistics_of_the_whole_batch(tmp_path, forks):
    """Half of each batch each, against Keras' layer with all of it on one device."""
    forks.script(REPLICAS, tmp_path / "results.npz")
    two = np.load(tmp_path / "results.npz")
    pairs = list(batches(SHAPES[1], 1, 2, "float32"))
    exact = train(make(layers.BatchNormalization, SHAPES[1], "float64"), pairs)
    assert set(two) == set(exact)
    for name, value in exact.items():
        assert_near(two[name], value, name)
