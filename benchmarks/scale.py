"""`python -m benchmarks.scale`: what more workers bring, measured here and on paper."""

import json
import math
import os
import subprocess
import sys
from typing import ClassVar

from benchmarks import allreduce, command, processes, report, runner, workload
from benchmarks.allreduce import Link
from gan_keras import config as configs
from gan_keras.cli import flags
from gan_keras.errors import UsageError, UserError

# On paper: 8 GPUs in a machine, and machines with one 200 Gbit/s adapter per GPU.
LINKS = {
    # NVIDIA H100 with NVLink 4: 900 GB/s in both directions together; its data sheet.
    8: Link(450e9, 3e-6),
    # HDR InfiniBand: 25 GB/s; some microseconds from GPU to GPU through the adapter.
    64: Link(25e9, 5e-6),
    256: Link(25e9, 5e-6),
}
# One for D and one for G: TensorFlow packs the gradients of an update.
REDUCTIONS = 2
# What a worker computes on paper: a GPU that is bound by the start of its kernels, about 200 a
# step at 5 us each, and one with a network that keeps it busy.
STEPS = (1e-3, 10e-3, 100e-3)


class Scale:
    """Milliseconds of a step by the number of workers, and a model of larger clusters."""

    name = "scale"
    summary = (
        "Trains the network of the mnist preset with one and with several workers on this "
        "machine, in turn, counts the bytes of their gradients, and prints what those cost on "
        "larger clusters."
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
        flags.import_tensorflow()
        self.weights = trainable()
        self.size = allreduce.bytes_per_step(**self.weights)
        self.facts = {"trainable": self.weights, "bytes_per_step": self.size}

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
        players = "{generator:,} + {discriminator:,} weights".format(**self.weights)
        gradients = f"Gradients: 4 bytes x ({players}) = {self.size / 1e6:.2f} MB per step."
        table = report.table(["workers here", "ms per step", f"/ {first}"], measured)
        return f"{table}\n\n{gradients} {report.caption(rounds)}\n\n{paper(self.size)}"


def check_workers(texts):
    """Returns the numbers of workers, as texts; a UsageError if one cannot share the batch."""
    batch = configs.from_preset(**workload.overrides("dcgan")).batch_size
    counts = [int(text) if text.isdecimal() else 0 for text in texts]
    if not counts or 0 in counts or any(batch % count for count in counts):
        raise UsageError(
            f"--workers={','.join(texts)}: give numbers that divide the batch of {batch}, as 1,2"
        )
    return [str(count) for count in counts]


def trainable():
    """Returns the trainable weights of the mnist preset's two networks, by player."""
    from gan_keras.training import run as training

    config = configs.from_preset(**workload.overrides("dcgan", {"mixed_precision": "float32"}))
    gan = training.build(config)
    return {
        player: sum(math.prod(w.shape) for w in getattr(gan, player).trainable_variables)
        for player in ("generator", "discriminator")
    }


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
    running = [
        subprocess.Popen(
            [sys.executable, *command.train_arguments(**overrides, workdir=workdir)],
            cwd=processes.ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in environments(workers)
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


def environments(workers):
    """Returns the environment variables of each worker of a cluster on this machine."""
    if workers == 1:
        return [{}]
    cluster = {"worker": processes.free_addresses(workers)}
    tasks = [{"type": "worker", "index": index} for index in range(workers)]
    return [{"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})} for task in tasks]


def paper(size):
    """Returns the model's table: all-reduce of so many bytes, and efficiency, by number of GPUs."""
    rows = [
        [
            str(workers),
            f"{link.bandwidth / 1e9:,.0f} GB/s",
            f"{1e6 * link.latency:.0f} µs",
            f"{1e3 * allreduce.seconds(size, workers, link, REDUCTIONS):.2f} ms",
            *(
                f"{100 * allreduce.efficiency(step, size, workers, link, REDUCTIONS):.0f} %"
                for step in STEPS
            ),
        ]
        for workers, link in LINKS.items()
    ]
    header = ["GPUs", "link", "latency", "all-reduce"]
    return report.table(header + [f"{1e3 * step:.0f} ms step" for step in STEPS], rows)


if __name__ == "__main__":
    sys.exit(runner.run(Scale))
