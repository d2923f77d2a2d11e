"""`benchmarks.start`: when its clock stops, whose memory it counts, and the table."""

import pytest

from benchmarks import processes, runner, start
from gan_keras.errors import UserError


def test_the_clock_of_a_start_stops_at_the_line(capfd):
    code = "print('no'); print('step 1', flush=True); big = bytearray(64 << 20); print(len(big))"
    seen = start.watch(["-c", code], "step ")
    assert seen["seconds"] > 0
    assert seen["peak_mib"] > 64  # Of that process: its array is in it.
    with pytest.raises(UserError, match="printed no 'never'"):
        start.watch(["-c", code], "never")
    with pytest.raises(UserError, match="failed"):
        start.watch(["-c", "raise SystemExit(3)"])


def test_start_reports_ratios_to_a_bare_tensorflow(monkeypatch, tmp_path):
    rounds = [
        {
            start.BARE: {"seconds": 2.0 * slow, "peak_mib": 400},
            start.HELP: {"seconds": 0.5 * slow, "peak_mib": 20},
            start.TRAIN: {"seconds": 5.0 * slow, "peak_mib": 600},
        }
        for slow in (1, 2, 3)
    ]
    answers = iter([result for each in rounds for result in each.values()])
    monkeypatch.setattr(processes, "measure", lambda function, **arguments: next(answers))
    output = tmp_path / "start.json"
    assert runner.run(start.Start, ["--rounds=3", f"--output={output}"]) == 0
    lines = output.with_suffix(".md").read_text().splitlines()
    line = next(line for line in lines if "progress" in line)
    assert [cell.strip() for cell in line.split("|")[2:-1]] == [
        "10.00 (5.00–15.00)", "2.50", "600", "1.50"
    ]  # fmt: skip
