"""`python -m benchmarks.scale`: what a step costs that several workers share."""

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from benchmarks import commands, processes, report, runner, workload


class Scale(runner.Benchmark):
    """Milliseconds of a step by the number of workers."""

    name = "scale"
    summary = (
        "Trains the network of the dcgan2015 preset with one and with several workers on this "
        "machine, in turn."
    )
    flags: ClassVar = {
        "rounds": (3, "How often everybody is measured."),
        "workers": (["1", "2"], "Numbers of workers that are measured."),
        "steps": (200, "Steps per measurement."),
    }
    title = "workers"

    def __init__(self, values, folder):
        steps, workers = values.steps, runner.numbers("workers", values.workers, 64)
        over = report.over(str(workers[0]))
        self.columns = [report.Column("ms per step", "milliseconds", ",.1f", over)]
        self.parts = {
            str(each): ("scale.measure", {"workers": each, "steps": steps}) for each in workers
        }


def measure(workers, steps):
    """Trains with so many workers on this machine: a dict with the milliseconds of a step.

    The batch of 128 is theirs together, and so are the processor's cores: nothing is gained
    here, and what a step takes longer is the price of the cluster.

    Raises:
        UserError: a worker failed; the message has its last line.
    """
    # The first interval is of a run whose speed is not steady yet.
    fields = {"log_every": steps, "sample_every": 10 * steps, "checkpoint_every": 10 * steps}
    with tempfile.TemporaryDirectory() as folder, processes.held_addresses(workers) as addresses:
        flags = workload.overrides(**fields, steps=2 * steps, workdir=f"{folder}/run")
        command = commands.train_arguments(**flags)
        with ThreadPoolExecutor(workers) as threads:
            running = [
                threads.submit(processes.package, *command, environment=each)
                for each in environments(addresses)
            ]
        for each in running:
            each.result()
        return {"milliseconds": 1e3 * commands.span(f"{folder}/run", steps, steps) / steps}


def environments(addresses):
    """Returns the environment variables of each worker of a cluster at these addresses."""
    tasks = [{"type": "worker", "index": index} for index in range(len(addresses))]
    clusters = [{"cluster": {"worker": addresses}, "task": task} for task in tasks]
    return [{"TF_CONFIG": json.dumps(each)} for each in clusters] if len(addresses) > 1 else [{}]


if __name__ == "__main__":
    sys.exit(runner.run(Scale))
