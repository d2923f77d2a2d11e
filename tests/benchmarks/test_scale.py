"""`benchmarks.scale`: its clusters and its table."""

import json

from benchmarks import processes, runner, scale


def test_a_worker_s_environment_names_it_and_all_others():
    assert scale.environments(["a:1"]) == [{}]
    tasks = [json.loads(each["TF_CONFIG"]) for each in scale.environments(["a:1", "b:2"])]
    assert [task["task"] for task in tasks] == [{"type": "worker", "index": i} for i in range(2)]
    assert [task["cluster"] for task in tasks] == [{"worker": ["a:1", "b:2"]}] * 2


def test_workers_are_compared_with_the_first(tmp_path, monkeypatch):
    seconds = iter([100.0, 200.0, 100.0, 300.0, 200.0, 200.0])

    def measure(function, workers, steps):
        assert (function, steps) == ("benchmarks.scale.measure", 7)
        return {"milliseconds": next(seconds)}

    monkeypatch.setattr(processes, "measure", measure)
    output = tmp_path / "scale.json"
    assert runner.run(scale.Scale, ["--steps=7", f"--output={output}"]) == 0
    text = output.with_suffix(".md").read_text()
    assert "100.0 (100.0–200.0)" in text
    assert "2.00 (1.00–3.00)" in text


def test_what_is_no_number_of_workers_is_refused(tmp_path, capsys):
    assert runner.run(scale.Scale, ["--workers=1,x", f"--output={tmp_path / 'scale.json'}"]) == 2
    assert "--workers=1,x: " in capsys.readouterr().err
