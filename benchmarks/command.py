"""This package as its user runs it: `train.py` in a process of its own, with all that it writes.

The measurement is read from what the run leaves for TensorBoard: the time between two points of
its scalars. The span is a common multiple of the intervals, so that scalars, grids and checkpoints
have the share in it that they have in a long run.
"""

import math
import tempfile
from pathlib import Path

from benchmarks import processes, workload
from gan_keras import config as configs
from gan_keras.errors import UserError

TAG = "images_per_second"  # Written at every `log_every`.


class Command:
    """The contestant; it reads the images itself, and gets `fields` as flags."""

    def __init__(self, network, images=None, fields=None):
        self.overrides = workload.overrides(network, fields)
        self.config = configs.from_preset(**self.overrides)
        self.images_per_step = self.config.batch_size
        intervals = (self.config.log_every, self.config.sample_every, self.config.checkpoint_every)
        # The first points are of a run whose speed is not steady yet.
        self.first = 2 * self.config.log_every
        self.steps = math.lcm(*intervals)
        self.folder = tempfile.TemporaryDirectory()
        self.workdir = Path(self.folder.name, "run")

    def arguments(self):
        """Returns what is typed after `python`."""
        steps = self.first + self.steps
        return train_arguments(**self.overrides, workdir=self.workdir, steps=steps)

    def run(self, clock):
        processes.package(*self.arguments())
        clock.record(self.steps, span(times(self.workdir), self.first, self.steps))

    def wait(self):
        """A finished process has nothing left to do."""

    def weights(self):
        from benchmarks import fitting
        from gan_keras import checkpoints
        from gan_keras.training import run as training

        gan = training.build(self.config)
        checkpoints.restore_latest(checkpoints.manager(gan, self.workdir, keep=1))
        return fitting.weights(gan)


def train_arguments(**flags):
    """Returns `train.py` and its flags."""
    return ["train.py", *(f"--{name}={value}" for name, value in flags.items())]


def times(workdir):
    """Returns when a run wrote its speed: a dict from step to seconds since the epoch."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    return {
        event.step: event.wall_time
        for path in sorted(Path(workdir, "logs", "train").glob("events.*"))
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
        if value.tag == TAG
    }


def span(times, first, steps):
    """Returns the seconds from step `first` to `steps` later; a UserError if either is missing."""
    missing = [step for step in (first, first + steps) if step not in times]
    if missing:
        raise UserError(f"the run's scalars have no `{TAG}` at step {missing[0]}")
    return times[first + steps] - times[first]


build = Command
