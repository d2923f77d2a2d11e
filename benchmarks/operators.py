"""`python -m benchmarks.operators`: where a training step of this package spends its time."""

import collections
import sys
import tempfile
from pathlib import Path

from absl import flags as absl_flags

from benchmarks import machine, report, work
from benchmarks.clock import Clock
from benchmarks.contestants import CONTESTANTS, OURS
from gan_keras.cli import flags

PROGRAM = "python -m benchmarks.operators"
SUMMARY = "Profiles training steps of this package, and prints the time of each kind of operator."
# An operator of the training loop is called `while/body/...:Kind`; all else is what surrounds it.
LOOP = "while/body"


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _profile(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_enum("dtype", "float32", list(OURS), "In what.", flag_values=values)
    absl_flags.DEFINE_enum(
        "network", "dcgan", list(work.NETWORKS), "What is trained.", flag_values=values
    )
    absl_flags.DEFINE_float("seconds", 5.0, "Seconds to profile.", flag_values=values)
    absl_flags.DEFINE_integer("rows", 15, "Kinds shown by name.", flag_values=values)


def _profile(values):
    machine.announce()
    flags.import_tensorflow()
    import tensorflow as tf

    from benchmarks import ours

    loop = ours.build(values.network, **CONTESTANTS[f"ours-{values.dtype}"].options)
    loop.run(Clock(0, 0, loop.wait))  # Traced before the profile begins.
    clock = Clock(0, values.seconds, loop.wait)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            loop.run(clock)
        seconds = times(next(Path(folder).glob("**/*.xplane.pb")))
    print(f"\n{describe(seconds, clock.elapsed, values.rows, machine.cores())}")


def times(path):
    """Returns the seconds in each kind of operator, over all threads, from a profile's file."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(Path(path).read_bytes())
    seconds = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if LOOP in name and ":" in name:
                    seconds[name.rsplit(":", 1)[1]] += event.duration_ps / 1e12
    return seconds


def describe(seconds, elapsed, rows, cores):
    """Returns the times as Markdown.

    Args:
        seconds: A Counter from kind of operator to seconds.
        elapsed: Seconds that the steps took.
        rows: How many kinds are shown by name.
        cores: Threads among which an operator may be shared.
    """
    total = sum(seconds.values())
    shown = seconds.most_common(rows)
    rest = total - sum(each for _, each in shown)
    lines = [[kind, f"{each / total:.1%}"] for kind, each in [*shown, ("all others", rest)]]
    return (
        f"{report.table(['operator', 'share'], lines)}\n\n"
        f"Of {total:.2f} s in operators within {elapsed:.2f} s of training on {cores} cores; an "
        "operator whose work several threads share counts once."
    )


if __name__ == "__main__":
    sys.exit(run())
