"""`benchmarks.convolutions`: both ways are one function, and the table says which is used."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks import convolutions, runner


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_both_ways_to_a_convolution_are_one_function(dtype):
    cases = list(convolutions.cases(2, dtype))
    assert len(cases) == len(convolutions.DOUBLING) + len(convolutions.KERNELS)
    for name, library, own, _ in cases:
        expected, given = (np.asarray(call(), np.float64) for call in (library, own))
        # Sums of products of both signs: their roundings stay far below the largest of them.
        roundings = 2**-7 if dtype == "bfloat16" else 2**-18
        limit = roundings * np.abs(expected).max()
        assert_allclose(given, expected, rtol=0, atol=limit, err_msg=name)


def test_a_call_is_timed_without_its_first():
    calls = []
    assert convolutions.milliseconds(lambda: calls.append(None), 0) > 0
    assert len(calls) == 2


def test_the_table_has_the_ratio_of_each_case(monkeypatch, capsys, tmp_path):
    """Of two convolutions whose times are known."""
    cases = [("one", 4.0, 2.0, True), ("two", 1.0, 2.0, False)]
    monkeypatch.setattr(convolutions, "cases", lambda batch, dtype: cases)
    monkeypatch.setattr(convolutions, "milliseconds", lambda call, seconds: call)
    output = tmp_path / "c.json"
    assert runner.run(convolutions.Convolutions, ["--rounds=1", f"--output={output}"]) == 0
    rows = [line.split("|")[1:-1] for line in output.with_suffix(".md").read_text().splitlines()]
    cells = [[cell.strip() for cell in row] for row in rows[2:6]]
    assert cells == [
        [f"{dtype}, {name}", f"{library:.2f}", f"{own:.2f}", f"{library / own:.2f}", used]
        for dtype in ("float32", "bfloat16")
        for name, library, own, used in [("one", 4, 2, "yes"), ("two", 1, 2, "no")]
    ]
