"""`benchmarks.scale`: its clusters and its table."""

import json

import pytest

from benchmarks import scale
from gan_keras.errors import UsageError


def test_a_worker_s_environment_names_it_and_all_others():
    assert scale.environments(["a:1"]) == [{}]
    tasks = [json.loads(each["TF_CONFIG"]) for each in scale.environments(["a:1", "b:2"])]
    assert [task["task"] for task in tasks] == [{"type": "worker", "index": i} for i in range(2)]
    assert [task["cluster"] for task in tasks] == [{"worker": ["a:1", "b:2"]}] * 2


@pytest.mark.parametrize("texts", [["0"], ["3"], ["1", "x"], ["-1"], []])
def test_workers_that_cannot_share_the_batch_are_refused(texts):
    with pytest.raises(UsageError, match=r"^--workers="):
        scale.check_workers(texts)


def test_the_report_has_medians_and_ratios():
    benchmark = object.__new__(scale.Scale)
    benchmark.names = ["1", "2"]
    seconds = [(0.1, 0.2), (0.1, 0.3), (0.2, 0.2)]
    rounds = [
        {name: {"milliseconds": 1e3 * each} for name, each in zip("12", row, strict=True)}
        for row in seconds
    ]
    text = benchmark.table(rounds)
    assert "100.0 (100.0–200.0)" in text
    assert "2.00 (1.00–3.00)" in text
