"""Contestants that all do the same: the package's networks, its images, its batch."""

import importlib.util
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks import command, contestants, runner, train, workload
from benchmarks.clock import Clock
from gan_keras import config as configs
from gan_keras.errors import UsageError, UserError


def macs(network):
    """Multiply-adds of each layer of the package's own networks, from the layers themselves."""
    from benchmarks.peers import keras_networks

    for model in map(keras_networks.plain, package_networks(network)):
        counts = []
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                places = {"Dense": 1, "Conv2D": math.prod(layer.output.shape[1:3])}
                places["Conv2DTranspose"] = math.prod(layer.input.shape[1:3])
                counts.append(places[type(layer).__name__] * math.prod(layer.kernel.shape))
        yield tuple(counts)


def package_networks(network):
    from gan_keras import networks

    config = configs.from_preset(**workload.overrides(network))
    assert (config.shape, config.latent_dim) == (workload.SHAPE, workload.LATENT_DIM)
    assert (config.batch_size, config.learning_rate) == (
        workload.BATCH_SIZE,
        workload.LEARNING_RATE,
    )
    assert (config.optimizer, config.beta_1) == ("adam", workload.BETA_1)
    return networks.build(
        config.network,
        shape=workload.SHAPE,
        latent_dim=workload.LATENT_DIM,
        width=config.width,
        seed=0,
    )


@pytest.mark.parametrize(("network", "flops"), [("dcgan", 147_517_440), ("mlp", 10_215_424)])
def test_operations_are_those_of_the_package_s_networks(network, flops):
    layers = workload.LAYERS[network]
    assert tuple(macs(network)) == (layers["generator"], layers["discriminator"])
    assert workload.flops_per_image(network) == flops


def test_all_train_on_the_package_s_digits():
    """The very pixels that `ours` and the command read."""
    from gan_keras import data

    images = workload.images()
    assert (images.dtype, images.min(), images.max()) == (np.float32, -1.0, 1.0)
    rows = data.load(configs.from_preset(**workload.overrides("dcgan"))).rows
    pixels = np.asarray(rows.read(np.arange(rows.count)))
    assert_allclose(images, pixels / 127.5 - 1, atol=1e-6)


# The command takes seconds to start, and shorter types change no shape: the mlp will do.
RUN = [
    (name, network)
    for name, each in contestants.CONTESTANTS.items()
    for network in each.networks
    if network == "mlp" or (each.module != "command" and each.dtype == "float32")
    if name != "command-bfloat16"
]
SHORT = {"log_every": 1, "sample_every": 2, "checkpoint_every": 2}


def build(name, network):
    contestant = contestants.CONTESTANTS[name]
    if contestant.library == "torch":
        torch = pytest.importorskip("torch", reason=f"{name} needs `{contestants.INSTALL}`")
        # Its threads wait for each other spinning, which is slow where tests share the cores.
        torch.set_num_threads(1)
    short = {}
    if contestant.module == "command":
        short["fields"] = {**contestant.options["fields"], **SHORT}
    if contestant.module == "ours":
        short["steps_per_call"] = 2
    return contestants.build(name, network, workload.images(), **short)


@pytest.mark.parametrize(("name", "network"), RUN)
def test_every_contestant_trains_both_networks_of_the_package(name, network):
    """As many weights, and a few steps change each of them, to numbers that are finite."""
    built = build(name, network)
    assert built.images_per_step == workload.BATCH_SIZE
    before = built.weights()
    for player, model in zip(before, package_networks(network), strict=True):
        own = sorted(math.prod(variable.shape) for variable in model.trainable_variables)
        assert (player, sorted(array.size for array in before[player])) == (model.name, own)

    # With no seconds to go: the first call is the warm-up, and the second one the measurement.
    clock = Clock(0, 0, built.wait)
    built.run(clock)
    assert clock.steps >= 1
    assert clock.elapsed > 0
    after = built.weights()
    for player in before:
        for old, new in zip(before[player], after[player], strict=True):
            assert np.isfinite(new).all()
            assert not np.array_equal(old, new)


def test_a_policy_of_a_contestant_is_gone_with_it():
    import keras

    from benchmarks.peers import keras_guide

    built = keras_guide.build("mlp", workload.images(), dtype="mixed_bfloat16")
    for model in (built.generator, built.discriminator):
        assert model.outputs[0].dtype == "float32"
        assert "bfloat16" in {layer.compute_dtype for layer in model.layers}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("network", workload.NETWORKS)
def test_the_command_is_measured_over_whole_intervals(network):
    """So many grids and checkpoints as belong to its steps, and no more."""
    built = command.build(network)
    config = configs.from_preset(**built.overrides)
    for every in (config.log_every, config.sample_every, config.checkpoint_every):
        assert built.steps % every == 0
    assert built.first % config.log_every == 0
    preset = f"--preset={workload.PRESETS[network]}"
    end = built.first + built.steps
    assert built.arguments() == [
        *("train.py", preset, "--dataset=digits", f"--workdir={built.workdir}", f"--steps={end}")
    ]


def test_the_command_s_time_is_read_from_its_scalars(small_run):
    times = command.times(small_run)
    assert list(times) == [10, 20, 30]
    assert times[10] < times[20] < times[30]
    assert command.span({10: 4.0, 20: 5.5, 30: 9.0}, 10, 20) == 5.0
    with pytest.raises(UserError, match="at step 40"):
        command.span(times, 10, 30)


def test_who_misses_a_library_is_left_out(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )
    chosen, left_out = contestants.choose("dcgan", ["torch-best", "keras-guide"])
    assert list(chosen) == ["keras-guide", "bound-float32"]
    assert left_out == ["torch-best"]
    with pytest.raises(
        UsageError, match=r"none can take part; pip install --editable '.\[bench\]'"
    ):
        contestants.choose("mlp", ["torch-best"])


def test_only_contestants_of_the_network_can_be_chosen(capsys):
    with pytest.raises(UsageError, match=r"=torch-example: for mlp choose from ours-float32, "):
        contestants.choose("mlp", ["torch-example"])
    assert runner.run(train.Train, ["--contestants=nobody"]) == 2
    assert "--contestants=nobody: for dcgan choose from" in capsys.readouterr().err


def test_a_bound_for_each_dtype():
    chosen, _ = contestants.choose("mlp", ["keras-guide-bfloat16", "keras-guide"])
    assert list(chosen) == [
        *("keras-guide-bfloat16", "keras-guide", "bound-float32", "bound-bfloat16")
    ]


def test_the_bound_counts_the_operations_of_a_product():
    """Two products a second are 2 * 2 * 2048^3 operations."""
    product = contestants.build("bound-bfloat16", "dcgan", None)
    assert product.left.dtype == product.right.dtype == "bfloat16"
    clock = Clock(0, 0, product.wait)
    product.run(clock)
    assert clock.steps == 1
    assert_allclose(product.images_per_step * 147_517_440, 2 * 2048**3)
    exact = product.left[:1].numpy().astype(np.float64) @ product.right.numpy().astype(np.float64)
    # A sum of 2048 terms of deviation 1, about 45, rounded to 8 bits.
    assert_allclose(product.result[:1].numpy().astype(np.float64), exact, atol=1.0)
