"""`python -m benchmarks.start`: how soon a command answers and trains, and in how much memory."""

import os
import subprocess
import sys
import tempfile
import time

from absl import flags as absl_flags

from benchmarks import machine, pairing, processes, report
from gan_keras.cli import flags
from gan_keras.errors import UserError

PROGRAM = "python -m benchmarks.start"
SUMMARY = (
    "Measures the seconds to the help, to a bare TensorFlow and to the first training step, and "
    "the peak memory of each, in turn and each time in a fresh process."
)
BARE, HELP, TRAIN = "import tensorflow", "train.py --help", "train.py"
STEP = "step "  # How a line of progress begins; the first stands there after the first call.
MIB = 2**20


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _compare(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_integer(
        "rounds", 5, "How often everything is measured.", lower_bound=1, flag_values=values
    )
    absl_flags.DEFINE_integer(
        "steps", 100, "Training steps, for the peak of memory.", lower_bound=1, flag_values=values
    )
    absl_flags.DEFINE_string("preset", "mnist", "Preset that is trained.", flag_values=values)
    absl_flags.DEFINE_string("dataset", "digits", "Data that it is trained on.", flag_values=values)
    absl_flags.DEFINE_string(
        "output",
        report.default_output("start"),
        "JSON file of the results.",
        flag_values=values,
    )


def _compare(values):
    output = report.check_output(values.output)
    document = {
        "benchmark": "start",
        "began": report.now(),
        "machine": machine.announce(),
        "preset": values.preset,
        "dataset": values.dataset,
        "steps": values.steps,
        "rounds": [],
    }

    def measure(number, name):
        with tempfile.TemporaryDirectory() as folder:
            arguments = {
                BARE: ["-c", BARE],
                HELP: HELP.split(),
                TRAIN: [
                    TRAIN,
                    f"--preset={values.preset}",
                    f"--dataset={values.dataset}",
                    f"--steps={values.steps}",
                    f"--workdir={folder}",
                ],
            }[name]
            result = watch([sys.executable, *arguments], STEP if name == TRAIN else None)
        said = f"{result['seconds']:.2f} s, at most {result['peak'] / MIB:,.0f} MiB"
        print(f"round {number}/{values.rounds}  {name}: {said}", flush=True)
        return result

    for results in pairing.play([BARE, HELP, TRAIN], values.rounds, measure):
        document["rounds"].append(results)
        report.write(output, document)
    text = describe(document["rounds"])
    report.write(output, document | {"ended": report.now()}, text)
    print(f"\n{text}\n\nwrote {output} and {output.with_suffix('.md')}")


def watch(command, until=None):
    """Runs a command to its end.

    Args:
        command: What to run, as for `subprocess.Popen`.
        until: How the line begins that stops the clock; by default the end of the process does.

    Returns:
        A dict: seconds, and peak, the largest resident memory in bytes.

    Raises:
        UserError: the command failed, or never printed that line.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=processes.ROOT,
        env={**os.environ, **processes.ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # TensorFlow's notices.
        text=True,
    )
    seconds = None
    with process.stdout:
        for line in process.stdout:
            if seconds is None and until is not None and line.startswith(until):
                seconds = time.perf_counter() - began
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if until is None:
        seconds = time.perf_counter() - began
    if process.returncode or seconds is None:
        raise UserError(f"{' '.join(command)}: failed, or printed no {until!r}; run it alone")
    return {"seconds": seconds, "peak": used.ru_maxrss * 1024}


def describe(rounds):
    """Returns the rounds, dicts from name to what `watch` returns, as Markdown."""
    rows = []
    for name in rounds[0]:
        seconds = [{each: result[each]["seconds"] for each in result} for result in rounds]
        peaks = [{each: result[each]["peak"] for each in result} for result in rounds]
        rows.append(
            [
                name if name != TRAIN else f"{TRAIN}, to its first line of progress",
                report.number(pairing.spread(each[name] for each in seconds), ".2f"),
                report.ratio(pairing.spread(pairing.ratios(seconds, name, BARE))),
                report.number(pairing.spread(each[name] / MIB for each in peaks)),
                report.ratio(pairing.spread(pairing.ratios(peaks, name, BARE))),
            ]
        )
    header = ["", "seconds", f"/ {BARE}", "peak MiB", f"/ {BARE}"]
    said = f"Median (least–most) of {len(rounds)} rounds; ratios are of measurements of one round."
    return f"{report.table(header, rows)}\n\n{said}"


if __name__ == "__main__":
    sys.exit(run())
