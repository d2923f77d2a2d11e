"""`python -m benchmarks.scale`: what more workers bring, measured here and on paper."""

import json
import math
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from absl import flags as absl_flags

from benchmarks import allreduce, command, machine, pairing, processes, report
from benchmarks.allreduce import Link
from gan_keras.cli import flags
from gan_keras.config import config as configs
from gan_keras.errors import UsageError, UserError

PROGRAM = "python -m benchmarks.scale"
SUMMARY = (
    "Trains the network of the mnist preset with one and with several workers on this machine, in "
    "turn, counts the bytes of their gradients, and prints what those cost on larger clusters."
)
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


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _scale(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_list(
        "workers", ["1", "2"], "Numbers of workers that are measured.", flag_values=values
    )
    absl_flags.DEFINE_integer(
        "rounds", 3, "How often everybody is measured.", lower_bound=1, flag_values=values
    )
    absl_flags.DEFINE_integer(
        "steps", 200, "Steps per measurement.", lower_bound=1, flag_values=values
    )
    absl_flags.DEFINE_string(
        "output",
        None,
        "JSON file of the results (default: runs/benchmarks/scale.json).",
        flag_values=values,
    )


def _scale(values):
    counts = _counts(values.workers)
    output = report.check_output(values.output or report.default_output("scale"))
    described = machine.announce()
    flags.import_tensorflow()
    weights = trainable()
    size = allreduce.bytes_per_step(**weights)
    document = {
        "benchmark": "scale",
        "began": report.now(),
        "machine": described,
        "trainable": weights,
        "bytes_per_step": size,
        "rounds": [],
    }

    def measure(number, workers):
        step = step_seconds(workers, values.steps)
        print(f"round {number}/{values.rounds}  {workers}: {step * 1e3:,.1f} ms", flush=True)
        return step

    for results in pairing.play(counts, values.rounds, measure):
        document["rounds"].append(results)
        report.write(output, document)
    text = describe(document["rounds"], weights, size)
    report.write(output, document | {"ended": report.now()}, text)
    print(f"\n{text}\n\nwrote {output} and {output.with_suffix('.md')}")


def _counts(texts):
    batch = configs.from_preset(**command.given("dcgan")).batch_size
    try:
        counts = [int(text) for text in texts]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1 or any(batch % count for count in counts):
        raise UsageError(
            f"--workers={','.join(texts)}: give numbers that divide the batch of {batch}, as 1,2"
        )
    return counts


def trainable():
    """Returns the trainable weights of the mnist preset's two networks, by player."""
    from gan_keras.training import run as training

    gan = training.build(configs.from_preset(**command.given("dcgan")))
    return {
        player: sum(math.prod(w.shape) for w in getattr(gan, player).trainable_variables)
        for player in ("generator", "discriminator")
    }


def step_seconds(workers, steps):
    """Trains with so many workers on this machine, and returns the seconds of a step.

    The batch of 128 is theirs together, and so are the processor's cores: nothing is gained
    here, and what a step takes longer is the price of the cluster.

    Raises:
        UserError: a worker failed; the message has its last line.
    """
    fields = {"log_every": steps, "sample_every": 10 * steps, "checkpoint_every": 10 * steps}
    # The first interval is of a run that still finds its pace.
    given = command.given("dcgan", {**fields, "steps": 2 * steps})
    with tempfile.TemporaryDirectory() as folder:
        arguments = [f"--{name}={value}" for name, value in given.items()]
        running = [
            subprocess.Popen(
                [sys.executable, "train.py", *arguments, f"--workdir={folder}"],
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
        return command.span(command.times(Path(folder)), steps, steps) / steps


def environments(workers):
    """Returns the environment variables of each worker of a cluster on this machine."""
    if workers == 1:
        return [{}]
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in servers]
    for server in servers:
        server.close()
    return [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(workers)
    ]


def describe(rounds, weights, size):
    """Returns the measurements and the model as Markdown.

    Args:
        rounds: Dicts from workers to the seconds of a step.
        weights: Dict from player to its trainable weights.
        size: Bytes of gradients per step.
    """
    counts = list(rounds[0])
    measured = [
        [
            str(count),
            report.number(pairing.spread(1e3 * each[count] for each in rounds), ",.1f"),
            report.ratio(pairing.spread(pairing.ratios(rounds, count, counts[0]))),
        ]
        for count in counts
    ]
    said = (
        f"Gradients: 4 bytes x ({weights['generator']:,} + {weights['discriminator']:,} weights) = "
        f"{size / 1e6:.2f} MB per step. Median (least–most) of {len(rounds)} rounds."
    )
    return "\n\n".join(
        [
            report.table(["workers here", "ms per step", f"/ {counts[0]}"], measured),
            said,
            paper(size),
        ]
    )


def paper(size):
    """Returns the model's table: all-reduce and efficiency by the number of GPUs."""
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
    sys.exit(run())
