"""`python -m benchmarks.start`: how soon a command answers and trains, and in how much memory."""

import os
import subprocess
import sys
import tempfile
import time
from typing import ClassVar

from benchmarks import commands, processes, report, runner
from gan_keras.errors import UserError

BARE, HELP = "import tensorflow", "train.py --help"
TRAIN = "train.py, to its first line of progress"
STEP = "step "  # How a line of progress begins; the first is printed after the first call.


class Start(runner.Benchmark):
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
    columns = (
        report.Column("seconds", "seconds", ".2f", report.over(BARE)),
        report.Column("peak MiB", "peak_mib", ",.0f", report.over(BARE)),
    )

    def __init__(self, values, folder):
        self.parts = {
            BARE: ("start.watch", {"arguments": ["-c", BARE]}),
            HELP: ("start.watch", {"arguments": HELP.split()}),
            TRAIN: ("start.first_step", {name: values[name].value for name in self.flags}),
        }


def first_step(**fields):
    """Measures `train.py` to its first line of progress, and its memory to the end."""
    processes.turn()
    with tempfile.TemporaryDirectory() as folder:
        return watch(commands.train_arguments(**fields, workdir=f"{folder}/run"), STEP)


def watch(arguments, until=None):
    """Times a run of Python until a line begins with `until`, or to its end, which is awaited.

    Returns:
        A dict: seconds, and peak_mib, the largest resident memory in MiB.

    Raises:
        UserError: it failed, or never printed that line.
    """
    began = time.perf_counter()
    # The errors are TensorFlow's notices.
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    process = subprocess.Popen([sys.executable, *arguments], cwd=processes.ROOT, **streams)
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
