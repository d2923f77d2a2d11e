"""The one way in which all benchmarks run: flags, rounds in turn, a table and a JSON file."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from absl import flags as absl_flags

from benchmarks import machine, processes, report
from gan_keras.cli import flags
from gan_keras.errors import UsageError


class Benchmark:
    """What all benchmarks have. One adds

    - `name` and `summary`: of the command, `python -m benchmarks.<name>`;
    - `__init__(values, folder)`: takes the flags and an empty folder; a mistake is a UsageError;
    - `parts`: who is measured, in the order of turns: name -> (a function of this folder, its
      arguments), which returns a dict of what JSON has, in a fresh process.

    Attributes:
        flags: name -> (default, help), beside `--rounds` and `--output`; whole numbers are above 0.
        title: Of the table's first column.
        columns: Of the table; of `report.Column`.
        same: Flags. Where there are some, measurements that the output file has are not made again,
            unless `--again` names them; these flags have to be the file's.
    """

    flags: ClassVar = {}
    title = ""
    columns = ()
    same = ()

    def measure(self, name, number):
        """Returns one measurement in a round; they count from 1."""
        function, arguments = self.parts[name]
        return processes.measure(f"benchmarks.{function}", **arguments)

    def line(self, result):
        """Returns one measurement in words."""
        found = [each for each in self.columns if result.get(each.key) is not None]
        texts = [f"{each.header}: {result[each.key]:{each.form}}" for each in found]
        return ", ".join(texts or (f"{key}: {_short(value)}" for key, value in result.items()))

    def marked(self, rounds, name):
        """Whether the table marks a contestant with a star."""
        return False

    def table(self, rounds):
        """Returns all of them as Markdown."""
        marked = [name for name in self.parts if self.marked(rounds, name)]
        table = report.comparison(rounds, self.parts, self.columns, self.title, marked)
        return f"{table}\n\n{report.caption(rounds)}"

    def files(self, rounds):
        """Returns other files to write beside the table: suffix -> bytes."""
        return {}


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else value


def run(benchmark, argv=None):
    """Runs a benchmark as a command, and returns its exit status."""
    program = f"python -m benchmarks.{benchmark.name}"

    def compare():
        values = flags.parse(argv, program, benchmark.summary, lambda v: define(benchmark, v))
        _compare(benchmark, values)

    return flags.guarded(program, compare)


def define(benchmark, values):
    """Defines the flags of a benchmark in an empty FlagValues."""
    output = "JSON file of the results (default: runs/benchmarks/<name>.json)."
    common = {"rounds": (5, "How often everybody is measured."), "output": (None, output)}
    if benchmark.same:
        common["again"] = ([], "Who is measured again though the file has it.")
    for name, (default, help) in {**common, **benchmark.flags}.items():
        if isinstance(default, int):
            absl_flags.DEFINE_integer(name, default, help, 1, flag_values=values)
        elif isinstance(default, float):
            absl_flags.DEFINE_float(name, default, help, 0.0, flag_values=values)
        elif isinstance(default, list):
            absl_flags.DEFINE_list(name, default, help, flag_values=values)
        else:
            absl_flags.DEFINE_string(name, default, help, flag_values=values)


def numbers(flag, texts, most, kind=int):
    """Returns the numbers of a list flag; a UsageError unless they ascend from above 0."""
    try:
        found = [kind(text) for text in texts]
        if found and [0, *found] == sorted({0, *found}) and found[-1] <= most:
            return found
    except ValueError:
        pass
    raise UsageError(f"--{flag}={','.join(texts)}: give ascending numbers up to {most:,}, as 1,2")


def _compare(benchmark, values):
    chosen = {name: values[name].value for name in sorted(values) if name not in ("help", "h")}
    output = Path(values.output or f"runs/benchmarks/{benchmark.name}.json")
    rounds = _kept(benchmark, output, chosen)
    document = {"benchmark": benchmark.name, "flags": chosen, "began": _now()}
    document |= {"machine": machine.announce(), "rounds": rounds}
    report.check(output)
    with tempfile.TemporaryDirectory() as folder:
        taking_part = benchmark(values, Path(folder))
        document["parts"] = taking_part.parts
        for number in range(1, values.rounds + 1):
            if len(rounds) < number:
                rounds.append({})
            for name in taking_part.parts:  # A B C, A B C, ...
                if name in rounds[number - 1]:
                    continue
                result = taking_part.measure(name, number)
                line = taking_part.line(result)
                print(f"round {number}/{values.rounds}  {name}: {line}", flush=True)
                rounds[number - 1][name] = result
                report.write(output, document)  # A later failure loses no measurement.
        text = taking_part.table(rounds)
        beside = {".md": f"{text}\n".encode(), **taking_part.files(rounds)}
    report.write(output, document | {"ended": _now()}, beside)
    print(f"\n{text}\n\nwrote {', '.join(str(output.with_suffix(s)) for s in ('.json', *beside))}")


def _kept(benchmark, output, chosen):
    """Returns the rounds of an earlier call that are to be kept."""
    if not benchmark.same or not output.is_file():
        return []
    try:
        document = json.loads(output.read_text())
        before, rounds = document["flags"], document["rounds"]
    except (OSError, ValueError, KeyError):
        raise UsageError(f"--output={output}: no results of a benchmark; choose another") from None
    for name in benchmark.same:
        if before.get(name) != chosen[name]:
            raise UsageError(
                f"--{name}={chosen[name]}: {output} has results of {before.get(name)}; give the "
                "same, or choose another --output"
            )
    for results in rounds[: chosen["rounds"]]:
        for name in chosen["again"]:
            results.pop(name, None)
    return rounds


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")
