"""This package as its user runs it: `train.py` in a process of its own, with all that it writes.

The measurement is read from what the run leaves for TensorBoard: the time between two points of
its scalars. The span is a common multiple of the intervals, so that scalars, grids and checkpoints
have the share in it that they have in a long run.
"""

import math
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import processes
from gan_keras.config import config as configs
from gan_keras.errors import UserError

# The presets of these networks train on MNIST, which would have to be downloaded.
PRESETS = {"dcgan": "mnist", "mlp": "mlp"}
TAG = "images_per_second"  # written at every `log_every`, but for what is over before it begins


def given(network, fields=None):
    """Returns the preset, and the fields of the configuration that are not the preset's own."""
    return {"preset": PRESETS[network], "dataset": "digits", **(fields or {})}


class Command:
    """The contestant.

    Args:
        network: `dcgan` or `mlp`.
        images: Not used: the package reads its own, which are the same.
        fields: Fields of the configuration that the command gets as flags.
    """

    def __init__(self, network, images=None, fields=None):
        self.given = given(network, fields)
        self.config = configs.from_preset(**self.given)
        self.images_per_step = self.config.batch_size
        intervals = (self.config.log_every, self.config.sample_every, self.config.checkpoint_every)
        # The first points are of a run that still finds its pace.
        self.first = 2 * self.config.log_every
        self.steps = math.lcm(*intervals)
        self.folder = tempfile.TemporaryDirectory()
        self.workdir = Path(self.folder.name, "run")
        self.gan = None

    def arguments(self):
        """Returns what is typed after `python`."""
        flags = {**self.given, "workdir": self.workdir, "steps": self.first + self.steps}
        return ["train.py", *(f"--{name}={value}" for name, value in flags.items())]

    def run(self, clock):
        arguments = [sys.executable, *self.arguments()]
        done = subprocess.run(arguments, cwd=processes.ROOT, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"{' '.join(self.arguments())}: {done.stderr.strip() or 'failed'}")
        clock.record(self.steps, span(times(self.workdir), self.first, self.steps))

    def wait(self):
        """A finished process has nothing left to do."""

    def weights(self):
        from benchmarks import ours
        from gan_keras.checkpoints import save_restore as checkpoints
        from gan_keras.training import run as training

        gan = training.build(self.config)
        checkpoints.restore_latest(checkpoints.manager(gan, self.workdir, keep=1))
        return ours.weights(gan)


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
    """Returns the seconds between step `first` and `steps` steps later.

    Raises:
        UserError: the run wrote nothing at one of the two.
    """
    missing = [step for step in (first, first + steps) if step not in times]
    if missing:
        raise UserError(f"the run's scalars have no `{TAG}` at step {missing[0]}")
    return times[first + steps] - times[first]


build = Command
