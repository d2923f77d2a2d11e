"""`benchmarks.start`: when its clock stops, whose memory it counts, and the table."""

import sys

import pytest

from benchmarks import start
from gan_keras.errors import UserError


def test_the_clock_of_a_start_stops_at_the_line(capfd):
    code = "print('no'); print('step 1', flush=True); big = bytearray(64 << 20); print(len(big))"
    seen = start.watch([sys.executable, "-c", code], "step ")
    assert seen["seconds"] > 0
    assert seen["peak_mib"] > 64  # Of that process: its array is in it.
    with pytest.raises(UserError, match="printed no 'never'"):
        start.watch([sys.executable, "-c", code], "never")
    with pytest.raises(UserError, match="failed"):
        start.watch([sys.executable, "-c", "raise SystemExit(3)"])


def test_start_reports_ratios_to_a_bare_tensorflow():
    rounds = [
        {
            start.BARE: {"seconds": 2.0 * slow, "peak_mib": 400},
            start.HELP: {"seconds": 0.5 * slow, "peak_mib": 20},
            start.TRAIN: {"seconds": 5.0 * slow, "peak_mib": 600},
        }
        for slow in (1, 2, 3)
    ]
    table = start.Start.table(start.Start, rounds)
    line = next(line for line in table.splitlines() if "progress" in line)
    assert [cell.strip() for cell in line.split("|")[2:-1]] == [
        "10.00 (5.00–15.00)", "2.50", "600", "1.50"
    ]  # fmt: skip
