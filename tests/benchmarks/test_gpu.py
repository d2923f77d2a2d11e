"""`benchmarks.gpu`: what it would measure, its FLOPs, and that a failed part loses no other."""

import importlib
import json
from types import SimpleNamespace

import pytest

from benchmarks import gpu, ours, processes, runner, train, workload
from gan_keras import networks
from gan_keras.errors import UserError

TIMING = {"seconds": 0.01, "warm_up": 0.0}


def faked(monkeypatch, results):
    """Puts results in the place of processes; whoever asks after the last one fails."""
    answers = iter(results)

    class Part:
        def __init__(self, function, **arguments):
            pass

        def wait(self):
            return self

        def measure(self):
            for answer in answers:
                return answer
            raise UserError("no kernel")

    monkeypatch.setattr(processes, "measure", lambda function, **arguments: None)
    monkeypatch.setattr(processes, "Prepared", Part)


def test_the_settings_are_those_of_the_tables():
    parts = gpu.parts(TIMING, "images.npy")
    names = " ".join(parts)
    for size in ("dcgan 28", "residual 64", "residual 128"):
        for arithmetic in gpu.ARITHMETIC:
            for xla in gpu.XLA:
                assert f"{size} {arithmetic} {xla} steps=32 batch=128" in parts
    assert all(f"XLA steps={steps}" in names for steps in (1, 8, 32))
    assert all(f"batch={batch}" in names for batch in (128, 256, 512, 1024, 2048))
    assert "," not in names, "--only has them between names"
    assert {"PyTorch eager", "PyTorch tuned", "PyTorch compiled", "sampling", "start"} <= {*parts}
    for function, arguments in parts.values():
        module, name = function.split(".")
        assert callable(getattr(importlib.import_module(f"benchmarks.{module}"), name))
        json.dumps(arguments)  # They go to another process.


def test_multiply_adds_are_those_that_were_counted_by_hand():
    built = networks.build("dcgan", shape=(28, 28, 1), latent_dim=100, width=64, seed=0)
    expected = (workload.GENERATOR, workload.DISCRIMINATOR)
    assert tuple(tuple(ours.multiply_adds(network)) for network in built) == expected


def test_a_part_that_fails_loses_no_other(monkeypatch, tmp_path, capsys):
    """Two parts of which one fails; and a third, for which no time is left."""
    times = iter([0, 0, 1, 10_000])
    monkeypatch.setattr(gpu, "time", SimpleNamespace(monotonic=lambda: next(times)))
    parts = {name: ("train", {}) for name in ("a bfloat16", "b bfloat16", "c bfloat16")}
    monkeypatch.setattr(gpu, "parts", lambda *arguments: dict(parts))

    faked(monkeypatch, [{gpu.SPEED: 1234.0, "flops_per_image": 10.0, "memory_mib": 99.0}])
    output = tmp_path / "gpu.json"
    assert runner.run(gpu.Gpu, ["--without_gpu=yes", f"--output={output}"]) == 0
    (results,) = json.loads(output.read_text())["rounds"]
    assert results["a bfloat16"][gpu.SPEED] == 1234
    assert results["b bfloat16"] == {"failed": "no kernel"}
    assert "--minutes" in results["c bfloat16"]["failed"]
    text = output.with_suffix(".md").read_text()
    assert "| a bfloat16 |    1,234 |        |         |       99 |" in text
    assert "- b bfloat16: failed: no kernel" in text


def test_shares_are_of_the_bound_of_the_same_arithmetic(monkeypatch, tmp_path):
    speeds = {
        "bound tf32": 8.0,
        "bound float32": 1.0,
        "dcgan 28 tf32 XLA steps=1": 2.0,
        "PyTorch": 1.0,
    }
    monkeypatch.setattr(gpu, "parts", lambda *arguments: dict.fromkeys(speeds, ("train", {})))
    faked(monkeypatch, [{gpu.SPEED: 1.0, gpu.FLOPS: each} for each in speeds.values()])
    output = tmp_path / "gpu.json"
    assert runner.run(gpu.Gpu, ["--without_gpu=yes", f"--output={output}"]) == 0
    lines = output.with_suffix(".md").read_text().splitlines()[2:6]
    shares = [line.split("|")[4].strip() for line in lines]
    assert shares == ["", "", "0.25", ""]


def test_without_a_gpu_it_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(processes, "measure", lambda *arguments: 0)
    assert runner.run(gpu.Gpu, [f"--output={tmp_path / 'gpu.json'}"]) == 2
    assert "TensorFlow finds no GPU" in capsys.readouterr().err


def test_only_names_parts_that_there_are(monkeypatch, tmp_path, capsys):
    faked(monkeypatch, [{gpu.SPEED: 1.0}] * 3)
    output = tmp_path / "gpu.json"
    arguments = ["--without_gpu=yes", f"--output={output}"]
    assert runner.run(gpu.Gpu, [*arguments, "--only=bound tf32,PyTorch e"]) == 0
    assert [*json.loads(output.read_text())["rounds"][0]] == ["bound tf32", "PyTorch eager"]
    assert runner.run(gpu.Gpu, [*arguments, "--only=bound,dcgna"]) == 2
    assert "--only=dcgna: no part begins so" in capsys.readouterr().err


def test_a_product_is_measured_on_any_device():
    _, arguments = gpu.parts(TIMING, None)["bound bfloat16"]
    assert train.measure(**arguments | {"side": 32})[gpu.SPEED] > 0


@pytest.mark.faults
def test_training_is_measured_on_any_device():
    name = "dcgan 28 float32 XLA steps=32 batch=128"
    _, arguments = gpu.parts(TIMING, None)[name]
    fields = {**arguments["fields"], "width": 4, "batch_size": 8}
    found = train.measure(**arguments | {"fields": fields, "steps_per_call": 2})
    assert found[gpu.SPEED] > 0
    assert found["flops_per_image"] > 0
