"""What all benchmarks share: rounds, the clock, the report, the runner. Nothing is timed."""

import json
import re
import shlex
import socket
from typing import ClassVar

import pytest
from absl import flags as absl_flags

from benchmarks import (
    gpu,
    machine,
    processes,
    quality,
    report,
    runner,
    sample,
    scale,
    serve,
    start,
    train,
)
from benchmarks.clock import Clock
from gan_keras.errors import UsageError, UserError

BENCHMARKS = {
    f"benchmarks.{each.name}": each
    for each in (
        train.Train,
        sample.Sample,
        serve.Serve,
        start.Start,
        scale.Scale,
        gpu.Gpu,
        quality.Quality,
    )
}


def of(key, **numbers):
    """Rounds in which each contestant has these numbers."""
    return [
        {name: {key: each} for name, each in zip(numbers, row, strict=True)}
        for row in zip(*numbers.values(), strict=True)
    ]


def test_ratios_are_taken_within_a_round():
    """A machine that halves its speed after each round changes no ratio."""
    drifting = of("x", A=[3.0 / 2**i for i in range(5)], B=[2.0 / 2**i for i in range(5)])
    assert report.ratios(drifting, "A", "B", "x") == [1.5] * 5
    # The ratio of the medians would be 9/8.
    played = of("x", A=[10.0, 9.0, 2.0], B=[5.0, 9.0, 8.0])
    assert report.number(report.ratios(played, "A", "B", "x"), ".2f") == "1.00 (0.25–2.00)"
    assert report.values(played, "B", "x") == [5.0, 9.0, 8.0]


def test_a_column_compares_with_whom_it_names():
    def other(name):
        return "B" if name == "A" else None

    played = of("x", A=[10.0, 9.0, 2.0], B=[5.0, 9.0, 8.0])
    columns = [report.Column("x/s", "x", ",.0f", {"/ other": other})]
    assert report.comparison(played, "AB", columns, "who").splitlines()[2:] == [
        "| A   | 9 (2–10) | 1.00 (0.25–2.00) |",
        "| B   |  8 (5–9) |                  |",
    ]


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


def test_a_function_is_called_until_the_time_is_up():
    times, calls = iter([0, 0, 3, 9, 9]), []
    clock = Clock(0, 5, now=lambda: next(times))
    clock.time(lambda: calls.append(None))
    assert (len(calls), clock.steps, clock.elapsed) == (3, 2, 9)


def test_table():
    text = report.table(["name", "images/s"], [["one", "1"], ["another", "1,000 (9–2,000)"]])
    assert text.splitlines() == [
        "| name    |        images/s |",
        "|---------|----------------:|",
        "| one     |               1 |",
        "| another | 1,000 (9–2,000) |",
    ]
    assert report.number([1234.4, 999.5, 2e4], ",.0f") == "1,234 (1,000–20,000)"
    assert report.number([1.0, 1.001], ".2f") == "1.00"
    assert report.number([], ".2f") == ""


def test_where_results_may_go(tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.json"):
        report.check(tmp_path / "results.md")
    (tmp_path / "file").touch()
    for way in (report.check, lambda output: report.write(output, {})):
        with pytest.raises(UsageError, match="--output="):
            way(tmp_path / "file" / "results.json")


def test_a_process_that_fails_is_named(capsys):
    with pytest.raises(UserError, match=r"train.measure .*nobody.*: failed with status 1"):
        processes.measure("benchmarks.train.measure", name="nobody", images="missing.npy")
    assert "missing.npy" in capsys.readouterr().err


def test_a_process_returns_what_the_function_does():
    assert processes.measure("benchmarks.machine.warning", load=0.3, cores=2) is None


def test_processes_get_ready_together_and_measure_in_turn():
    function = "tests.benchmarks.turns.taking_its_turn"
    prepared = [processes.Prepared(function) for _ in range(2)]
    for each in prepared:
        assert each.wait().lines == [f"{processes.READY}\n"]
        assert each.process.poll() is None
    first, second = prepared
    assert first.measure() == {"steps": 1}
    second.process.stdin.close()
    assert second.process.wait(60)  # Nobody is left who could give it its turn.
    second.process.stdout.close()
    second.errors.close()


def test_a_held_port_is_for_who_asks_for_it_by_number():
    with processes.held_addresses(2) as addresses:
        assert len(set(addresses)) == 2
        for port in (int(address.split(":")[1]) for address in addresses):
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))
            with socket.create_server(("127.0.0.1", port)) as server:
                assert server.getsockname()[1] == port


def test_a_busy_machine_is_warned_of():
    assert machine.warning(0.3, 2) is None
    assert "load 1.5 on 2 cores" in machine.warning(1.5, 2)


class Toy(runner.Benchmark):
    """A benchmark whose numbers are known, and whose last measurement fails if it is told to."""

    name = "toy"
    summary = "Measures nothing."
    flags: ClassVar = {
        "fail": (99, "Measurement that fails."),
        "seconds": (1.0, "Of it."),
    }
    parts: ClassVar = {"A": None, "B": None}
    columns = (report.Column("x", "x", ",.0f", report.over("A")),)

    def __init__(self, values, folder):
        assert not list(folder.iterdir())
        self.fail, self.count = values.fail, 0

    def measure(self, name, number):
        self.count += 1
        if self.count == self.fail:
            raise UserError("broke")
        return {"x": 10.0 * self.count}


class Resumed(Toy):
    same = ("seconds",)

    def files(self, rounds):
        return {".png": str(len(rounds)).encode()}


def test_the_runner_keeps_every_number_and_prints_the_table(tmp_path, capsys):
    output = tmp_path / "new" / "toy.json"
    assert runner.run(Toy, ["--rounds=2", "--seconds=3", f"--output={output}"]) == 0
    document = json.loads(output.read_text())
    assert document["rounds"] == [
        {"A": {"x": 10.0}, "B": {"x": 20.0}},
        {"A": {"x": 30.0}, "B": {"x": 40.0}},
    ]
    assert document["benchmark"] == "toy"
    assert (document["flags"]["rounds"], document["flags"]["seconds"]) == (2, 3.0)
    assert {"tensorflow", "keras", "numpy"} <= document["machine"]["versions"].keys()
    assert "| B   | 30 (20–40) | 1.67 (1.33–2.00) |\n" in output.with_suffix(".md").read_text()
    printed = capsys.readouterr().out
    assert "round 2/2  A: x: 30" in printed
    assert "1.67 (1.33–2.00)" in printed


def test_a_failure_loses_no_measurement(tmp_path, capsys):
    output = tmp_path / "toy.json"
    assert runner.run(Toy, ["--rounds=2", "--fail=4", f"--output={output}"]) == 1
    assert json.loads(output.read_text())["rounds"] == [
        {"A": {"x": 10.0}, "B": {"x": 20.0}},
        {"A": {"x": 30.0}},
    ]
    assert capsys.readouterr().err == "python -m benchmarks.toy: broke\n"
    assert not output.with_suffix(".md").exists()
    kept = output.read_bytes()
    assert runner.run(Toy, ["--fail=1", f"--output={output}"]) == 1
    assert output.read_bytes() == kept


def test_what_the_file_has_is_not_measured_again(tmp_path, capsys):
    output = f"--output={tmp_path / 'toy.json'}"

    def measured():
        return json.loads((tmp_path / "toy.json").read_text())["rounds"]

    assert runner.run(Resumed, ["--rounds=1", "--fail=2", output]) == 1
    assert measured() == [{"A": {"x": 10.0}}]
    assert runner.run(Resumed, ["--rounds=2", output]) == 0
    assert measured() == [
        {"A": {"x": 10.0}, "B": {"x": 10.0}},
        {"A": {"x": 20.0}, "B": {"x": 30.0}},
    ]
    assert (tmp_path / "toy.png").read_text() == "2"
    assert runner.run(Resumed, ["--rounds=1", "--again=B", output]) == 0
    assert [each["B"]["x"] for each in measured()] == [10.0, 30.0]
    assert runner.run(Resumed, ["--seconds=2", output]) == 2
    assert "--seconds=2.0: " in capsys.readouterr().err
    (tmp_path / "toy.json").write_text("{}")
    assert runner.run(Resumed, [output]) == 2
    assert "no results of a benchmark" in capsys.readouterr().err


@pytest.mark.parametrize("texts", ["0", "1,x", "65", "", "2,1", "1,1"])
def test_numbers_that_cannot_be(texts):
    with pytest.raises(UsageError, match=f"--counts={texts}: give ascending numbers up to 64"):
        runner.numbers("counts", texts.split(","), 64)
    assert runner.numbers("minutes", ["0.5", "2"], 64, float) == [0.5, 2.0]


@pytest.mark.parametrize("flag", ["--rounds=0", "--seconds=-1", "--fail=0", "--nothing=1"])
def test_flags_out_of_range_are_refused(flag, capsys):
    assert runner.run(Toy, [flag]) == 2
    assert flag.split("=")[0].strip("-") in capsys.readouterr().err


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=list(BENCHMARKS))
def test_every_flag_has_a_default_and_help(benchmark):
    values = absl_flags.FlagValues()
    runner.define(benchmark, values)
    assert values(["program"]) == ["program"]
    assert values.rounds >= 1
    assert all(values[name].help for name in values)


def test_the_readme_s_commands_have_flags_that_exist(root):
    text = (root / "benchmarks" / "README.md").read_text()
    commands = re.findall(r"^python -m (benchmarks\.\w+)([^#\n]*)", text, re.MULTILINE)
    assert {module for module, _ in commands} == {*BENCHMARKS, "benchmarks.processes"}
    for module, arguments in commands:
        if module != "benchmarks.processes":
            values = absl_flags.FlagValues()
            runner.define(BENCHMARKS[module], values)
            assert values([module, *shlex.split(arguments)]) == [module]
