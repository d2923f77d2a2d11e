"""`python -m benchmarks.start`: how soon a command answers and trains, and in how much memory."""

import os
import subprocess
import sys
import time
from typing import ClassVar

from benchmarks import command, processes, report, runner
from gan_keras.errors import UserError

BARE, HELP, TRAIN = "import tensorflow", "train.py --help", "train.py"
STEP = "step "  # How a line of progress begins; the first is printed after the first call.


class Start:
    """Seconds and peak memory of the help, of a bare TensorFlow, and to the first step."""

    name = "start"
    summary = (
        "Measures the seconds to the help, to a bare TensorFlow and to the first training step, "
        "and the peak memory of each, in turn and each time in a fresh process."
    )
    flags: ClassVar = {
        "steps": (100, "Training steps, for the peak of memory."),
        "preset": ("mnist", "Preset that is trained."),
        "dataset": ("digits", "Data that it is trained on."),
    }
    names = (BARE, HELP, TRAIN)
    facts: ClassVar = {}

    def __init__(self, values, folder):
        self.fields = {name: values[name].value for name in self.flags}
        self.folder = folder
        self.runs = 0

    def measure(self, name):
        self.runs += 1
        workdir = self.folder / str(self.runs)
        arguments = {
            BARE: ["-c", BARE],
            HELP: HELP.split(),
            TRAIN: command.train_arguments(**self.fields, workdir=workdir),
        }
        return watch([sys.executable, *arguments[name]], STEP if name == TRAIN else None)

    def line(self, result):
        return f"{result['seconds']:.2f} s, at most {result['peak_mib']:,.0f} MiB"

    def table(self, rounds):
        rows = [
            [
                name if name != TRAIN else f"{TRAIN}, to its first line of progress",
                report.value(rounds, name, "seconds", ".2f"),
                report.ratio(rounds, name, BARE, "seconds"),
                report.value(rounds, name, "peak_mib"),
                report.ratio(rounds, name, BARE, "peak_mib"),
            ]
            for name in self.names
        ]
        header = ["", "seconds", f"/ {BARE}", "peak MiB", f"/ {BARE}"]
        return f"{report.table(header, rows)}\n\n{report.caption(rounds)}"


def watch(arguments, until=None):
    """Times a command until a line begins with `until`, or to its end, which is awaited.

    Returns:
        A dict: seconds, and peak_mib, the largest resident memory in MiB.

    Raises:
        UserError: the command failed, or never printed that line.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        arguments,
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
        raise UserError(f"{' '.join(arguments)}: failed, or printed no {until!r}; run it alone")
    return {"seconds": seconds, "peak_mib": used.ru_maxrss / 1024}


if __name__ == "__main__":
    sys.exit(runner.run(Start))
