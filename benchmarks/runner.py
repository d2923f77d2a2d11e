"""The one way in which all benchmarks run: flags, rounds in turn, a table and a JSON file.

A benchmark is a class with

- `name` and `summary`: of the command, `python -m benchmarks.<name>`;
- `flags`: name -> (default, help) or (default, help, choices or a range), beside `--rounds` and
  `--output`;
- `__init__(values, folder)`: takes the flags and an empty folder; a mistake is a UsageError;
- `names`: who is measured, in the order of turns; `facts`: a dict for the JSON file;
- `measure(name)`: one measurement, a dict of what JSON has; `line(result)`: the same in words;
- `table(rounds)`: all of them as Markdown; see `benchmarks.rounds`.
"""

import tempfile
from pathlib import Path

from absl import flags as absl_flags

from benchmarks import machine, report
from benchmarks import rounds as played
from gan_keras.cli import flags


def run(benchmark, argv=None):
    """Runs a benchmark as a command, and returns its exit status."""
    program = f"python -m benchmarks.{benchmark.name}"

    def compare():
        values = flags.parse(argv, program, benchmark.summary, lambda v: define(benchmark, v))
        _compare(benchmark, values)

    return flags.guarded(program, compare)


def define(benchmark, values):
    """Defines the flags of a benchmark in an empty FlagValues."""
    output = "JSON file of the results (default: runs/benchmarks/<name>[-<network>].json)."
    common = {"rounds": (5, "How often everybody is measured."), "output": (None, output)}
    for name, (default, help, *choices) in {**common, **benchmark.flags}.items():
        if isinstance(default, int):
            few = choices[0] if choices else range(1, 2**31)
            absl_flags.DEFINE_integer(name, default, help, few[0], few[-1], flag_values=values)
        elif choices:
            absl_flags.DEFINE_enum(name, default, list(choices[0]), help, flag_values=values)
        elif isinstance(default, float):
            absl_flags.DEFINE_float(name, default, help, 0.0, flag_values=values)
        elif isinstance(default, list):
            absl_flags.DEFINE_list(name, default, help, flag_values=values)
        else:
            absl_flags.DEFINE_string(name, default, help, flag_values=values)


def _compare(benchmark, values):
    chosen = {name: values[name].value for name in sorted(values) if name not in ("help", "h")}
    stem = "-".join([benchmark.name, *([values.network] if "network" in benchmark.flags else [])])
    output = Path(values.output or f"runs/benchmarks/{stem}.json")
    document = {"benchmark": benchmark.name, "flags": chosen, "began": report.now()}
    document |= {"machine": machine.announce(), "rounds": []}
    report.write(output, document)  # What cannot be written is reported before minutes pass.
    with tempfile.TemporaryDirectory() as folder:
        taking_part = benchmark(values, Path(folder))
        document |= taking_part.facts

        def measure(number, name):
            result = taking_part.measure(name)
            line = taking_part.line(result)
            print(f"round {number}/{values.rounds}  {name}: {line}", flush=True)
            return result

        for results in played.play(taking_part.names, values.rounds, measure):
            document["rounds"].append(results)
            report.write(output, document)  # A later failure loses no finished round.
        text = taking_part.table(document["rounds"])
    report.write(output, document | {"ended": report.now()}, text)
    print(f"\n{text}\n\nwrote {output} and {output.with_suffix('.md')}")
