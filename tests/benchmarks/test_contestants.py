"""Contestants that all do the same: the package's networks, its images, its batch."""

import importlib.util
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks import commands, contestants, runner, train, workload
from benchmarks.clock import Clock
from gan_keras import config as configs
from gan_keras.errors import UsageError, UserError


@pytest.fixture(scope="module")
def package_networks():
    from gan_keras import networks

    config = configs.from_preset(**workload.overrides())
    assert (config.shape, config.latent_dim) == (workload.SHAPE, workload.LATENT_DIM)
    assert config.batch_size == workload.BATCH_SIZE
    assert config.learning_rate == workload.LEARNING_RATE
    assert (config.optimizer, config.beta_1) == ("adam", workload.BETA_1)
    return networks.build(
        config.network,
        shape=workload.SHAPE,
        latent_dim=workload.LATENT_DIM,
        width=config.width,
        seed=0,
    )


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """What all contestants get, as it goes through a file."""
    path = tmp_path_factory.mktemp("images") / "images.npy"
    workload.save_images(path)
    return workload.images(path)


def test_operations_are_those_of_plain_networks():
    """Multiply-adds from the layers of Keras themselves."""
    from benchmarks.peers import keras_dcgan

    for model, expected in zip(
        keras_dcgan.networks(), (workload.GENERATOR, workload.DISCRIMINATOR), strict=True
    ):
        counts = []
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                places = {"Dense": 1, "Conv2D": math.prod(layer.output.shape[1:3])}
                places["Conv2DTranspose"] = math.prod(layer.input.shape[1:3])
                counts.append(places[type(layer).__name__] * math.prod(layer.kernel.shape))
        assert tuple(counts) == expected
    assert workload.FLOPS_PER_IMAGE == 147_517_440


def test_all_train_on_the_package_s_digits(images):
    """The very pixels that `ours` and the command read."""
    from gan_keras import data

    assert (images.dtype, images.min(), images.max()) == (np.float32, -1.0, 1.0)
    rows = data.load(configs.from_preset(**workload.overrides())).rows
    pixels = np.asarray(rows.read(np.arange(rows.count)))
    assert_allclose(images, pixels / 127.5 - 1, atol=1e-6)


def weights(player):
    """The trainable weights of a network of Keras or PyTorch."""
    if hasattr(player, "trainable_variables"):
        return [variable.numpy().copy() for variable in player.trainable_variables]
    return [each.detach().cpu().numpy().copy() for each in player.parameters()]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.faults] if "bfloat16" in name else [])
        for name in contestants.CONTESTANTS
    ],
)
def test_every_contestant_trains_both_networks_of_the_package(name, images, package_networks):
    """As many weights, and a few steps change each of them, to numbers that are finite."""
    short = {"steps_per_call": 2} if name.startswith("ours") else {}
    if contestants.CONTESTANTS[name].library == "torch":
        torch = pytest.importorskip("torch", reason=f"{name} needs `{contestants.INSTALL}`")
        # Its threads wait for each other spinning, which is slow where tests share the cores.
        torch.set_num_threads(1)
    built = contestants.build(name, images, **short)
    assert built.images_per_step == workload.BATCH_SIZE
    before = [weights(player) for player in (built.generator, built.discriminator)]
    for arrays, model in zip(before, package_networks, strict=True):
        own = sorted(math.prod(variable.shape) for variable in model.trainable_variables)
        assert sorted(array.size for array in arrays) == own

    # With no seconds to go: the first call is the warm-up, and the second one the measurement.
    clock = Clock(0, 0, built.wait)
    built.run(clock)
    assert clock.steps >= 1
    assert clock.elapsed > 0
    after = [weights(player) for player in (built.generator, built.discriminator)]
    for old, new in zip([*before[0], *before[1]], [*after[0], *after[1]], strict=True):
        assert np.isfinite(new).all()
        assert not np.array_equal(old, new)

    pictures = built.pictures(130)
    assert pictures.shape == (130, *workload.SHAPE)
    assert np.abs(pictures).max() <= 1
    assert not np.array_equal(pictures[0], pictures[129])


def test_a_policy_of_a_contestant_is_gone_with_it(images):
    import keras

    built = contestants.build("keras-guide-bfloat16", images)
    for model in (built.generator, built.discriminator):
        assert model.outputs[0].dtype == "float32"
        assert "bfloat16" in {layer.compute_dtype for layer in model.layers}
    assert keras.config.dtype_policy().name == "float32"


def test_seconds_are_read_from_a_run_s_scalars(small_run):
    assert 0 < commands.span(small_run, 10, 10) < commands.span(small_run, 10, 20)
    with pytest.raises(UserError, match="at step 40"):
        commands.span(small_run, 10, 30)


def test_who_misses_a_library_is_left_out(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )
    assert contestants.installed(["torch-best", "keras-guide"]) == ["keras-guide"]
    assert "left out torch-best: pip install" in capsys.readouterr().out
    with pytest.raises(
        UsageError, match=r"none can take part; pip install --editable '.\[bench\]'"
    ):
        contestants.installed(["torch-best"])


def test_only_contestants_can_be_chosen(tmp_path, capsys):
    flags = ["--contestants=nobody", f"--output={tmp_path / 'train.json'}"]
    assert runner.run(train.Train, flags) == 2
    assert "--contestants=nobody: choose from ours-float32, " in capsys.readouterr().err


def test_the_bound_counts_the_operations_of_a_product():
    """Two products a second are 2 * 2 * 2048^3 operations."""
    product = contestants.build("bound-bfloat16")
    assert product.left.dtype == product.right.dtype == "bfloat16"
    clock = Clock(0, 0, product.wait)
    product.run(clock)
    assert clock.steps == 1
    assert_allclose(product.images_per_step * 147_517_440, 2 * 2048**3)
    exact = product.left[:1].numpy().astype(np.float64) @ product.right.numpy().astype(np.float64)
    # A sum of 2048 terms of deviation 1, about 45, rounded to 8 bits.
    assert_allclose(product.result[:1].numpy().astype(np.float64), exact, atol=1.0)


def test_the_example_s_step_is_that_of_pytorch_s_example(images):
    """D in two backward passes, on probabilities; five numbers read per step; its own weights."""
    torch = pytest.importorskip("torch", reason=f"needs `{contestants.INSTALL}`")
    torch.set_num_threads(1)
    built = contestants.build("torch-example", images)
    backwards, scored = [], []
    loss = built.loss

    def counted(output, target):
        assert output.min() >= 0 and output.max() <= 1  # noqa: PT018
        value = loss(output, target)
        value.register_hook(lambda gradient: backwards.append(float(target[0])))
        scored.append(float(target[0]))
        return value

    built.loss = counted
    built.step(built.images[: workload.BATCH_SIZE])
    assert scored == backwards == [1.0, 0.0, 1.0]
    assert len(built.shown) == 5
    for layer in [*built.generator, *built.discriminator]:
        if isinstance(layer, torch.nn.ConvTranspose2d | torch.nn.Conv2d | torch.nn.Linear):
            assert 0.015 < layer.weight.std() < 0.025
