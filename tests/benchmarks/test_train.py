"""`benchmarks.train` from known speeds: its table and its file."""

import json

from benchmarks import processes, runner
from benchmarks.train import Train


def fake(speeds):
    """A `processes.measure` that returns the next speed of each contestant."""
    left = {name: iter(numbers) for name, numbers in speeds.items()}

    def measure(function, name=None, **arguments):
        if function == "benchmarks.workload.save_images":
            return None
        assert function == "benchmarks.train.measure"
        assert arguments.pop("images").endswith(".npy")
        assert arguments == {"warm_up": 3.0, "seconds": 10.0}
        return {"images_per_second": next(left[name]), "steps": 5, "seconds": 1.0}

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
    row = "| ours-float32  | 100 (60–300) | 1.50 (1.00–2.00) | 0.25 (0.15–0.75) |"
    assert row in table.splitlines()
    assert "| bound-float32 |          400 | 6.67" in table
    printed = capsys.readouterr().out
    assert "round 2/3  keras-guide: images/s: 200" in printed
    assert table in printed
