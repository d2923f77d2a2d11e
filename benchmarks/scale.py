"""`python -m benchmarks.scale`: what a step costs that several workers share."""

import json
import os
import subprocess
import sys
from typing import ClassVar

from benchmarks import command, processes, report, runner, workload
from gan_keras import config as configs
from gan_keras.errors import UsageError, UserError


class Scale:
    """Milliseconds of a step by the number of workers."""

    name = "scale"
    summary = (
        "Trains the network of the mnist preset with one and with several workers on this "
        "machine, in turn."
    )
    flags: ClassVar = {
        "rounds": (3, "How often everybody is measured."),
        "workers": (["1", "2"], "Numbers of workers that are measured."),
        "steps": (200, "Steps per measurement."),
    }

    def __init__(self, values, folder):
        self.names = check_workers(values.workers)
        self.steps = values.steps
        self.folder = folder
        self.runs = 0
        self.facts = {}

    def measure(self, workers):
        self.runs += 1
        step = step_seconds(int(workers), self.steps, self.folder / str(self.runs))
        return {"milliseconds": 1e3 * step}

    def line(self, result):
        return f"{result['milliseconds']:,.1f} ms"

    def table(self, rounds):
        first, key = self.names[0], "milliseconds"
        measured = [
            [
                workers,
                report.value(rounds, workers, key, ",.1f"),
                report.ratio(rounds, workers, first, key),
            ]
            for workers in self.names
        ]
        table = report.table(["workers", "ms per step", f"/ {first}"], measured)
        return f"{table}\n\n{report.caption(rounds)}"


def check_workers(texts):
    """Returns the numbers of workers, as texts; a UsageError if one cannot share the batch."""
    batch = configs.from_preset(**workload.overrides("dcgan")).batch_size
    counts = [int(text) if text.isdecimal() else 0 for text in texts]
    if not counts or 0 in counts or any(batch % count for count in counts):
        raise UsageError(
            f"--workers={','.join(texts)}: give numbers that divide the batch of {batch}, as 1,2"
        )
    return [str(count) for count in counts]


def step_seconds(workers, steps, workdir):
    """Trains with so many workers on this machine, and returns the seconds of a step.

    The batch of 128 is theirs together, and so are the processor's cores: nothing is gained
    here, and what a step takes longer is the price of the cluster.

    Raises:
        UserError: a worker failed; the message has its last line.
    """
    # The first interval is of a run whose speed is not steady yet.
    fields = {"log_every": steps, "sample_every": 10 * steps, "checkpoint_every": 10 * steps}
    overrides = workload.overrides("dcgan", {**fields, "steps": 2 * steps})
    with processes.held_addresses(workers) as addresses:
        running = [
            subprocess.Popen(
                [sys.executable, *command.train_arguments(**overrides, workdir=workdir)],
                cwd=processes.ROOT,
                env={**os.environ, **environment},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for environment in environments(addresses)
        ]
        try:
            errors = [process.communicate()[1] for process in running]
        finally:
            for process in running:
                process.kill()
    for process, error in zip(running, errors, strict=True):
        if process.returncode:
            raise UserError(f"{workers} workers: {(error.splitlines() or ['failed'])[-1]}")
    return command.span(command.times(workdir), steps, steps) / steps


def environments(addresses):
    """Returns the environment variables of each worker of a cluster at these addresses."""
    tasks = [{"type": "worker", "index": index} for index in range(len(addresses))]
    clusters = [{"cluster": {"worker": addresses}, "task": task} for task in tasks]
    return [{"TF_CONFIG": json.dumps(each)} for each in clusters] if len(addresses) > 1 else [{}]


if __name__ == "__main__":
    sys.exit(runner.run(Scale))
