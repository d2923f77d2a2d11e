"""Benchmarks: exact statistics, and contestants that all do the same work. Nothing is timed."""

import importlib
import importlib.util
import itertools
import json
import math
import re
import shlex
import sys

import numpy as np
import pytest
from absl import flags as absl_flags
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks import (
    command,
    contestants,
    convolutions,
    load,
    machine,
    measure,
    operators,
    pairing,
    processes,
    report,
    sample,
    scale,
    serve,
    start,
    train,
    ways,
    work,
)
from benchmarks.clock import Clock
from benchmarks.pairing import Spread
from gan_keras.config import config as configs
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import saved_model as exporting

PROGRAMS = {
    f"benchmarks.{module.__name__.split('.')[1]}": module
    for module in (
        train,
        sample,
        scale,
        serve,
        start,
        operators,
        convolutions,
        load,
        measure,
        ways,
    )
}


# Pairing


def test_everybody_takes_a_turn_in_each_round():
    turns = []
    rounds = pairing.play("ABC", 2, lambda number, name: turns.append((number, name)) or len(turns))
    assert next(rounds) == {"A": 1, "B": 2, "C": 3}
    assert turns == [(1, "A"), (1, "B"), (1, "C")]  # Before anybody's second turn.
    assert list(rounds) == [{"A": 4, "B": 5, "C": 6}]
    assert turns[3:] == [(2, "A"), (2, "B"), (2, "C")]


def test_ratios_are_taken_within_a_round():
    """A machine that halves its speed after each round changes no ratio."""
    rounds = [{"A": 3.0 / 2**i, "B": 2.0 / 2**i} for i in range(5)]
    assert pairing.ratios(rounds, "A", "B") == [1.5] * 5
    rounds = [{"A": 10.0, "B": 5.0}, {"A": 9.0, "B": 9.0}, {"A": 2.0, "B": 8.0}]
    # The ratio of the medians would be 9/8.
    assert pairing.spread(pairing.ratios(rounds, "A", "B")) == Spread(1.0, 0.25, 2.0)


def test_spread():
    assert pairing.spread([4, 1, 2]) == Spread(2, 1, 4)
    assert pairing.spread(iter([4, 1, 2, 9])) == Spread(3.0, 1, 9)
    assert pairing.spread([5]) == Spread(5, 5, 5)
    with pytest.raises(ValueError, match="at least one"):
        pairing.spread([])


# Clock


def test_the_clock_counts_neither_the_first_call_nor_the_warm_up():
    times = iter([100, 101, 103, 103.5, 104, 108, 109])
    waits = []
    clock = Clock(2, 4, wait=lambda: waits.append(clock.steps), now=lambda: next(times))
    # The first call ends at 100, the second at 101, the third, and with it the warm-up, at 103;
    # after waiting for the device it is 103.5.
    assert [clock.tick(8) for _ in range(3)] == [True, True, True]
    assert (clock.steps, waits) == (0, [0])
    assert clock.tick(8)  # 0.5 s of 4.
    assert not clock.tick(8)  # 4.5 s, and 5.5 after waiting.
    assert (clock.steps, clock.elapsed, waits) == (16, 5.5, [0, 16])


# The work


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

    config = configs.from_preset(**command.given(network))
    assert (config.shape, config.latent_dim) == (work.SHAPE, work.LATENT_DIM)
    assert (config.batch_size, config.learning_rate) == (work.BATCH_SIZE, work.LEARNING_RATE)
    assert (config.optimizer, config.beta_1) == ("adam", work.BETA_1)
    return networks.build(
        config.network, shape=work.SHAPE, latent_dim=work.LATENT_DIM, width=config.width, seed=0
    )


@pytest.mark.parametrize(("network", "flops"), [("dcgan", 147_517_440), ("mlp", 10_215_424)])
def test_operations_are_those_of_the_package_s_networks(network, flops):
    layers = work.LAYERS[network]
    assert tuple(macs(network)) == (layers["generator"], layers["discriminator"])
    assert work.flops_per_image(network) == flops


def test_all_train_on_the_package_s_digits():
    """The very pixels that `ours` and the command read."""
    from gan_keras import data

    images = work.images()
    assert (images.dtype, images.min(), images.max()) == (np.float32, -1.0, 1.0)
    rows = data.load(configs.from_preset(**command.given("dcgan"))).rows
    pixels = np.asarray(rows.read(np.arange(rows.count)))
    assert_allclose(images, pixels / 127.5 - 1, atol=1e-6)


# Contestants

# The command takes seconds to start, and shorter types change no shape: the mlp will do.
RUN = [
    (name, network)
    for name, each in contestants.CONTESTANTS.items()
    for network in each.networks
    if network == "mlp" or (each.module != command.__name__ and each.dtype == "float32")
    if name != "command-bfloat16"
]
SHORT = {"log_every": 1, "sample_every": 2, "checkpoint_every": 2}


def build(name, network):
    contestant = contestants.CONTESTANTS[name]
    if contestant.library in contestants.INSTALL:
        remedy = contestants.INSTALL[contestant.library]
        torch = pytest.importorskip(contestant.library, reason=f"{name} needs `{remedy}`")
        # Its threads wait for each other spinning, which is slow where tests share the cores.
        torch.set_num_threads(1)
    options = dict(contestant.options)
    if contestant.module == command.__name__:
        options["fields"] = {**options["fields"], **SHORT}
    if "steps_per_call" in options:
        options["steps_per_call"] = 2
    module = importlib.import_module(contestant.module)
    return module.build(network, work.images(), **options)


@pytest.mark.parametrize(("name", "network"), RUN)
def test_every_contestant_trains_both_networks_of_the_package(name, network):
    """As many weights, and a few steps change each of them, to numbers that are finite."""
    built = build(name, network)
    assert built.images_per_step == work.BATCH_SIZE
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

    built = keras_guide.build("mlp", work.images(), dtype="mixed_bfloat16")
    for model in (built.generator, built.discriminator):
        assert model.outputs[0].dtype == "float32"
        assert "bfloat16" in {layer.compute_dtype for layer in model.layers}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("network", work.NETWORKS)
def test_the_command_is_measured_over_whole_intervals(network):
    """So many grids and checkpoints as belong to its steps, and no more."""
    built = command.build(network)
    config = configs.from_preset(**built.given)
    for every in (config.log_every, config.sample_every, config.checkpoint_every):
        assert built.steps % every == 0
    assert built.first % config.log_every == 0
    preset = f"--preset={command.PRESETS[network]}"
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
    assert left_out == {"torch-best": "pip install --editable '.[bench]'"}
    with pytest.raises(
        UsageError, match=r"none can take part; pip install --editable '.\[bench\]'"
    ):
        contestants.choose("mlp", ["torch-best"])


def test_only_contestants_of_the_network_can_be_chosen(capsys):
    with pytest.raises(UsageError, match=r"=torch-example: for mlp choose from ours-float32, "):
        contestants.choose("mlp", ["torch-example"])
    assert train.run(["--contestants=nobody"]) == 2
    assert "--contestants=nobody: for dcgan choose from" in capsys.readouterr().err


def test_a_bound_for_each_dtype():
    chosen, _ = contestants.choose("mlp", ["keras-guide-bfloat16", "keras-guide"])
    assert list(chosen) == [
        *("keras-guide-bfloat16", "keras-guide", "bound-float32", "bound-bfloat16")
    ]


def test_the_bound_counts_the_operations_of_a_product():
    """Two products a second are 2 * 2 * 2048^3 operations."""
    product = importlib.import_module("benchmarks.bound").build("dcgan", dtype="bfloat16")
    assert product.left.dtype == product.right.dtype == "bfloat16"
    clock = Clock(0, 0, product.wait)
    product.run(clock)
    assert clock.steps == 1
    assert_allclose(product.images_per_step * 147_517_440, 2 * 2048**3)
    exact = product.left[:1].numpy().astype(np.float64) @ product.right.numpy().astype(np.float64)
    # A sum of 2048 terms of deviation 1, about 45, rounded to 8 bits.
    assert_allclose(product.result[:1].numpy().astype(np.float64), exact, atol=1.0)


# Programs


def fake(speeds, parameters=None):
    """A `processes.measure` that returns the next speed of each contestant."""
    left = {name: iter(numbers) for name, numbers in speeds.items()}

    def measure(module, *arguments):
        assert module == "benchmarks.measure"
        given = dict(argument.removeprefix("--").split("=") for argument in arguments)
        assert np.load(given["images"]).shape == (1797, 28, 28, 1)
        name = given["contestant"]
        weights = {} if name.startswith("bound") else (parameters or {}).get(name, {"generator": 7})
        return {
            "images_per_second": next(left[name]),
            "steps": 5,
            "seconds": 1.0,
            "parameters": weights,
        }

    return measure


FLAGS = ["--contestants=ours-float32,keras-guide", "--rounds=3"]
SPEEDS = {
    "ours-float32": [100.0, 300.0, 60.0],
    "keras-guide": [50.0, 200.0, 60.0],
    "bound-float32": [400.0, 400.0, 400.0],
}


def test_train_reports_ratios_and_keeps_every_number(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(processes, "measure", fake(SPEEDS))
    output = tmp_path / "new" / "results.json"
    assert train.run([*FLAGS, f"--output={output}"]) == 0
    document = json.loads(output.read_text())
    for name, speeds in SPEEDS.items():
        assert [each[name]["images_per_second"] for each in document["rounds"]] == speeds
    expected = {"median": 1.5, "least": 1.0, "most": 2.0}
    assert document["ratios"]["ours-float32"] == {"keras-guide": expected}
    assert document["of_bound"]["ours-float32"] == {"median": 0.25, "least": 0.15, "most": 0.75}
    assert_allclose(document["gflops"]["float32"]["median"], 400 * 0.147517440)
    assert document["machine"]["cores"] == machine.cores()
    assert {"tensorflow", "keras", "numpy"} <= document["machine"]["versions"].keys()
    table = output.with_suffix(".md").read_text()
    row = "| ours-float32 | 100 (60–300) | 1.50 (1.00–2.00) | 0.25 (0.15–0.75) |"
    assert row in table.splitlines()
    said = capsys.readouterr().out
    assert "round 2/3  keras-guide: 200 images/s" in said
    assert table in said


def test_train_refuses_to_compare_different_networks(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(processes, "measure", fake(SPEEDS, {"keras-guide": {"generator": 8}}))
    assert train.run([*FLAGS, f"--output={tmp_path / 'results.json'}"]) == 1
    assert "keras-guide trains {'generator': 8} weights, ours-float32" in capsys.readouterr().err


def test_where_results_may_go(tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.json"):
        report.check_output(tmp_path / "results.md")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--output="):
        report.check_output(tmp_path / "file" / "results.json")


def test_a_process_that_fails_is_named(capsys):
    with pytest.raises(UserError, match=r"measure --contestant=nobody: failed with status 2"):
        processes.measure("benchmarks.measure", "--contestant=nobody")
    assert "nobody" in capsys.readouterr().err


def test_a_busy_machine_is_told():
    assert machine.warning(0.3, 2) is None
    assert "load 1.5 on 2 cores" in machine.warning(1.5, 2)


def test_table():
    text = report.table(["name", "images/s"], [["one", "1"], ["another", "1,000 (9–2,000)"]])
    assert text.splitlines() == [
        "| name    |        images/s |",
        "|---------|----------------:|",
        "| one     |               1 |",
        "| another | 1,000 (9–2,000) |",
    ]
    assert report.number(Spread(1234.4, 999.5, 2e4)) == "1,234 (1,000–20,000)"
    assert report.ratio(Spread(1, 1, 1)) == "1.00"


def test_the_readme_s_commands_have_flags_that_exist(root):
    text = (root / "benchmarks" / "README.md").read_text()
    commands = re.findall(r"^python -m (benchmarks\.\w+)([^#\n]*)", text, re.MULTILINE)
    assert {"benchmarks.train", "benchmarks.sample", "benchmarks.serve"} <= {
        module for module, _ in commands
    }
    for module, arguments in commands:
        if module == "benchmarks.bound":
            assert not arguments.strip()
            continue
        values = absl_flags.FlagValues()
        PROGRAMS[module]._define(values)
        assert values([module, *shlex.split(arguments)]) == [module]


# Sampling


@pytest.fixture(scope="module")
def folder(small_run, exported, tmp_path_factory):
    """What `benchmarks.sample` measures, from the small run."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / ways.RUN).symlink_to(small_run)
    (folder / ways.EXPORT).symlink_to(exported.parent)
    exporting.export(small_run, folder / ways.EXPORT_BFLOAT16, dtype="bfloat16")
    ways.prepare(folder)
    return folder


def test_the_peers_of_sampling_have_keras_s_own_layers(folder):
    modules = {type(layer).__module__ for layer in ways.generator(folder).layers}
    assert {module.split(".")[0] for module in modules} == {"keras"}


@pytest.mark.parametrize("way", ways.WAYS)
def test_all_ways_make_the_same_pictures(way, folder):
    """That those of seeds do too shows that they are held against the same latents."""
    result = ways.measure(way, folder, 0, 0, batch_sizes=(1, 3))
    assert list(result["images_per_second"]) == ["1", "3"]
    # A sum in another order may move a pixel across the border between two levels.
    exact = 1 if way in ways.OF_SEEDS else 1e-5
    assert result["difference"] <= (0.1 if way == "exported-bfloat16" else exact)


def test_differences():
    images = np.array([-1.0, 0.0, 1.0], np.float32)
    assert ways.difference(np.array([-1.0, 0.25, 1.0], np.float32), images) == 0.25
    assert ways.difference(np.array([3, 128, 250], np.uint8), images) == 5.0  # 0, 128, 255


def test_sample_reports_ratios_at_each_batch_size():
    def result(*speeds):
        return {"images_per_second": dict(zip("12", speeds, strict=True)), "difference": speeds[0]}

    rounds = [
        {"eager": result(10.0, 20.0), "exported": result(40.0, 30.0)},
        {"eager": result(20.0, 20.0), "exported": result(20.0, 50.0)},
    ]
    summary = sample.summarise(rounds)
    assert summary["ratios"]["1"]["exported"]["eager"] == Spread(2.5, 1.0, 4.0)
    assert summary["ratios"]["2"]["exported"]["eager"] == Spread(2.0, 1.5, 2.5)
    assert summary["differences"] == {"eager": 20.0, "exported": 40.0}
    text = sample.describe(summary, "mlp", 2)
    assert "| mlp, batch 2 |   images/s |          / eager |" in text


# Serving


def test_requests_that_end_in_the_measurement_count():
    spans = [(0.0, 0.9), (0.9, 1.1), (1.1, 1.5), (1.5, 2.9), (2.9, 3.0)]
    result = load.summarise(spans, 1.0, 3.0)
    assert (result["requests"], result["requests_per_second"]) == (3, 1.5)
    # Of 200, 400 and 1,400 ms; linear in between.
    expected = {"50": 400.0, "90": 1200.0, "99": 1380.0}
    assert result["latency"] == pytest.approx(expected)
    with pytest.raises(ValueError, match="no request"):
        load.summarise(spans, 5.0, 6.0)


def test_a_client_asks_until_the_time_is_up():
    """By a clock that is one second further whenever it is looked at."""
    ticks = itertools.count(1)
    asked = []
    result = load.load(asked.append, 1, warm_up=2, seconds=4, now=lambda: next(ticks))
    # Connected at 1. Requests from 2 to 3, 4 to 5, 6 to 7; measured from 3 to 7; too late at 8.
    assert asked == [0, 0, 0, 0]
    assert (result["requests"], result["requests_per_second"]) == (2, 0.5)
    assert result["latency"]["99"] == 1000.0


def test_all_clients_ask_and_one_failure_ends_them():
    asked = set()

    def ask(client):
        asked.add(client)
        if client == 2:
            raise UserError("refused")

    ticks = itertools.count()
    with pytest.raises(UserError, match="refused"):
        load.load(ask, 3, warm_up=0, seconds=1e9, now=lambda: next(ticks))
    assert asked == {0, 1, 2}


def test_the_embedded_server_answers_over_both(exported):
    from gan_keras.client.client import Client

    with serve.embedded(exported.parent) as where:
        pictures = [
            Client(where[transport], transport).sample(2, seed=3) for transport in ("grpc", "rest")
        ]
    assert pictures[0].shape == (2, 16, 16, 1)
    assert_array_equal(*pictures)


def test_a_server_that_does_not_start_is_told(tmp_path):
    with (
        pytest.raises(UserError, match="gan-keras-serve: "),
        serve.embedded(tmp_path / "nothing"),
    ):
        pass


def test_serve_holds_ours_against_its_peer():
    def result(speed):
        shares = map(str, load.PERCENTILES)
        return {"requests_per_second": speed, "latency": dict.fromkeys(shares, 1000 / speed)}

    rounds = [
        {"ours grpc 1": result(10.0), "tf-serving grpc 1": result(20.0), "ours rest 1": result(5)},
        {"ours grpc 1": result(40.0), "tf-serving grpc 1": result(20.0), "ours rest 1": result(5)},
    ]
    summary = serve.summarise(rounds)
    assert summary["ratios"] == {"ours grpc 1": Spread(1.25, 0.5, 2.0)}
    assert summary["latency"]["ours grpc 1"]["50"] == Spread(62.5, 25.0, 100.0)
    assert "| 1.25 (0.50–2.00) |" in serve.describe(summary, 16, 2)
    alone = serve.summarise([{"ours rest 1": result(5)}])
    assert "/ tf-serving" not in serve.describe(alone, 16, 1)


def test_a_peer_needs_to_serve_the_same(capsys):
    assert serve.run(["--server=127.0.0.1:8500"]) == 2
    assert "--server=127.0.0.1:8500: give --export_dir too" in capsys.readouterr().err


# Start and memory


def test_the_clock_of_a_start_stops_at_the_line(capfd):
    code = "print('no'); print('step 1', flush=True); big = bytearray(64 << 20); print(len(big))"
    seen = start.watch([sys.executable, "-c", code], "step ")
    assert seen["seconds"] > 0
    assert seen["peak"] > 64 << 20  # In bytes, and of that process: its array is in it.
    with pytest.raises(UserError, match="printed no 'never'"):
        start.watch([sys.executable, "-c", code], "never")
    with pytest.raises(UserError, match="failed"):
        start.watch([sys.executable, "-c", "raise SystemExit(3)"])


def test_start_reports_ratios_to_a_bare_tensorflow():
    rounds = [
        {
            start.BARE: {"seconds": 2.0 * slow, "peak": 400 * start.MIB},
            start.HELP: {"seconds": 0.5 * slow, "peak": 20 * start.MIB},
            start.TRAIN: {"seconds": 5.0 * slow, "peak": 600 * start.MIB},
        }
        for slow in (1, 2, 3)
    ]
    line = next(line for line in start.describe(rounds).splitlines() if "progress" in line)
    assert [cell.strip() for cell in line.split("|")[2:-1]] == [
        "10.00 (5.00–15.00)", "2.50", "600", "1.50"
    ]  # fmt: skip
