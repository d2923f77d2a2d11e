"""A step that is not finite: nothing of it reaches a weight, and it is named."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

from gan_keras.cli import train
from gan_keras.data.pipeline import untuned
from gan_keras.game import finite_check as health
from gan_keras.game import gan as gans
from gan_keras.game.gan import GAN
from tests.conftest import SMALL

FINE = [1.5, -2.0]


def check(losses=FINE, gradients=(FINE,), statistics=(FINE,), **arguments):
    tensors = ([tf.constant(each) for each in part] for part in (gradients, statistics))
    return health.checked(
        "d_loss", tf.constant(6, tf.int64), tf.constant(losses), *tensors, **arguments
    )


@pytest.mark.parametrize("run", [lambda f: f, tf.function], ids=["eagerly", "graph"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("losses", "d_loss"),
        ("gradients", "the gradient of d_loss"),
        ("statistics", "a batch statistic behind d_loss"),
    ],
)
def test_what_is_not_finite_is_named_with_its_step(part, what, bad, run):
    values = [1.0, bad] if part == "losses" else [FINE, [bad, 1.0]]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        run(lambda: check(**{part: values}))()
    found = health.NotFinite.of(caught.value)
    assert (found.what, found.name, found.step) == (what, "d_loss", 7)


def test_finite_gradients_pass_bit_by_bit():
    gradients = [np.float32([1e-45, -0.0, 1e18]), None, np.float32([[3.0]])]
    passed = health.checked(
        "d_loss", 0, tf.zeros(3), [g if g is None else tf.constant(g) for g in gradients]
    )
    assert passed[1] is None
    for i in (0, 2):
        assert passed[i].numpy().tobytes() == gradients[i].tobytes()


def test_a_gradient_whose_square_is_no_float32_is_infinite():
    check(gradients=[[1.8e19]])
    with pytest.raises(tf.errors.InvalidArgumentError):
        check(gradients=[[2.7e19]])


def test_a_scaled_loss_is_forgiven_until_its_scale_is_gone():
    overflowing = {"gradients": [[np.inf]]}
    check(**overflowing, loss_scale=tf.constant(2.0))
    with pytest.raises(tf.errors.InvalidArgumentError):
        check(**overflowing, loss_scale=tf.constant(1.0))
    with pytest.raises(tf.errors.InvalidArgumentError):
        check(losses=[np.nan], loss_scale=tf.constant(2.0))


def test_errors_of_others_are_none_of_ours():
    assert health.NotFinite.of(tf.errors.InvalidArgumentError(None, None, "[4] [1 1 0]")) is None


def make():
    """A GAN on two numbers, with batch normalisation in both networks."""

    def network(name, units):
        inputs = keras.Input((2,))
        x = keras.layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(seed=1))(
            inputs
        )
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed=2))(
            x
        )
        return keras.Model(inputs, x, name=name)

    gan = GAN(network("generator", 2), network("discriminator", 1))
    gan.compile(keras.optimizers.Adam(0.1), keras.optimizers.SGD(0.1, momentum=0.5))
    return gan


def batches(sick=None):
    """Batches of 4; the sick one, from 1 on, has a NaN."""
    points = np.random.default_rng(0).normal(size=(8, 4, 2)).astype("float32")
    if sick:
        points[sick - 1, 3, 0] = np.nan
    return untuned(tf.data.Dataset.from_tensor_slices(points))


def fit(gan, steps, data):
    gan.steps_per_execution = steps
    gan.fit(data, steps_per_epoch=1, verbose=0, shuffle=False)


def state(gan):
    """All that is learned and averaged; counters, which may run ahead, are no part of it."""
    optimizers = gan.generator_optimizer, gan.discriminator_optimizer
    variables = gan.trainable_variables + [v for each in optimizers for v in each.variables]
    return [np.asarray(v) for v in variables if v.dtype == "float32"]


def test_in_the_middle_of_a_call_the_weights_stay_those_of_the_step_before():
    sick, healthy = make(), make()
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        fit(sick, 6, batches(sick=3))
    assert health.NotFinite.of(caught.value).step == 3
    assert health.NotFinite.of(caught.value).name == "d_loss"
    fit(healthy, 2, batches())
    for a, b in zip(state(sick), state(healthy), strict=True):
        assert_array_equal(a, b)


def test_the_check_changes_no_bit_of_a_healthy_run(monkeypatch):
    checked = make()
    fit(checked, 6, batches())
    monkeypatch.setattr(
        gans.health, "checked", lambda name, step, losses, gradients, *rest: gradients
    )
    plain = make()
    fit(plain, 6, batches())
    for a, b in zip(state(checked), state(plain), strict=True):
        assert_array_equal(a, b)


def test_a_variance_that_overflows_behind_finite_losses_is_found():
    """What is normalised by an infinite deviation is 0: losses and gradients look well."""
    gan = make()
    kernel = gan.generator.layers[1].kernel
    kernel.assign(kernel * 1e25)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        fit(gan, 1, batches())
    assert health.NotFinite.of(caught.value).what == "a batch statistic behind g_loss"


REPLICAS = """
import tensorflow as tf
tf.config.set_visible_devices([], "GPU")
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from gan_keras.game import finite_check as health
from tests.game import test_finite_check as t
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    gan, healthy = t.make(), t.make()
# The last row of the global batch is the second replica's.
try:
    t.fit(gan, 6, t.batches(sick=3))
except tf.errors.InvalidArgumentError as error:
    found = health.NotFinite.of(error)
    print(found.what, found.step)
t.fit(healthy, 2, t.batches())
for name in "trainable_variables",:
    for a, b in zip(getattr(gan, name), getattr(healthy, name), strict=True):
        for replica in range(2):
            one, other = (v.value.values[replica].numpy() for v in (a, b))
            assert (one == other).all(), (a.path, replica)
print("same")
"""


@pytest.mark.faults
def test_both_replicas_stop_when_one_is_sick(forks):
    assert forks.script(REPLICAS).splitlines() == ["d_loss 3", "same"]


def test_a_run_that_diverges_ends_with_one_line_and_its_last_good_checkpoint(tmp_path, capsys):
    rates = ("--optimizer=momentum", "--learning_rate=1e6", "--checkpoint_every=1")
    command = [*SMALL, "--network=mlp", *rates, f"--workdir={tmp_path}", "--steps=50"]
    assert train.run(command) == 1
    (line,) = capsys.readouterr().err.splitlines()
    saved = tf.train.latest_checkpoint(str(tmp_path / "checkpoints"))
    step = int(saved.rsplit("-", 1)[1]) + 1
    assert line.startswith(f"gan-keras-train: step {step}: ")
    assert " is not finite; " in line
    assert (
        f"the last good checkpoint is {saved}; in another --workdir try --learning_rate below 1e+06"
        in line
    )
    reader = tf.train.load_checkpoint(saved)
    for name, kind in reader.get_variable_to_dtype_map().items():
        if kind.is_floating:
            assert np.isfinite(reader.get_tensor(name)).all(), name
