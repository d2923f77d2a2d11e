"""`benchmarks.train` from known speeds: its table, its file, and what it refuses to compare."""

import json

import numpy as np

from benchmarks import processes, runner
from benchmarks.train import Train


def fake(speeds, parameters=None):
    """A `processes.measure` that returns the next speed of each contestant."""
    left = {name: iter(numbers) for name, numbers in speeds.items()}

    def measure(function, name, images, **arguments):
        assert function == "benchmarks.train.measure"
        assert arguments == {"network": "dcgan", "warm_up": 3.0, "seconds": 10.0}
        assert np.load(images).shape == (1797, 28, 28, 1)
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
    assert runner.run(Train, [*FLAGS, f"--output={output}"]) == 0
    document = json.loads(output.read_text())
    for name, speeds in SPEEDS.items():
        assert [each[name]["images_per_second"] for each in document["rounds"]] == speeds
    table = output.with_suffix(".md").read_text()
    row = "| ours-float32 | 100 (60–300) | 1.50 (1.00–2.00) | 0.25 (0.15–0.75) |"
    assert row in table.splitlines()
    # 400 images a second of 147,517,440 operations each.
    assert "at 59 GFLOP/s; at 147.5 MFLOP per image 400 images/s." in table
    printed = capsys.readouterr().out
    assert "round 2/3  keras-guide: 200 images/s" in printed
    assert table in printed


def test_train_refuses_to_compare_different_networks(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(processes, "measure", fake(SPEEDS, {"keras-guide": {"generator": 8}}))
    assert runner.run(Train, [*FLAGS, f"--output={tmp_path / 'results.json'}"]) == 1
    assert "keras-guide trains {'generator': 8} weights, ours-float32" in capsys.readouterr().err
