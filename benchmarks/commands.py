"""This package's commands as a user types them, each in a process of its own."""

from pathlib import Path

from benchmarks import processes, workload
from gan_keras.errors import UserError

TAG = "images_per_second"  # Written at every `log_every`.
# Speed does not depend on what a generator has learned, but how far two ways to run it differ does:
# its normalisation must have settled, and its pixels must not all be near 0.
SHORT_RUN = 100  # steps
RUN, EXPORT, EXPORT_BFLOAT16 = "run", "export", "export-bfloat16"


def train_arguments(**flags):
    """Returns `train.py` and its flags."""
    return ["train.py", *(f"--{name}={value}" for name, value in flags.items())]


def span(workdir, first, steps):
    """Returns the seconds that a run took from step `first` to `steps` later.

    They are the time between two points of its scalars.

    Raises:
        UserError: the run wrote no scalars at one of the two.
    """
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    times = {
        event.step: event.wall_time
        for path in sorted(Path(workdir, "logs", "train").glob("events.*"))
        for event in EventFileLoader(str(path)).Load()
        if any(value.tag == TAG for value in event.summary.value)
    }
    for step in (first, first + steps):
        if step not in times:
            raise UserError(f"{workdir}: the run's scalars have no `{TAG}` at step {step}")
    return times[first + steps] - times[first]


def exports(folder):
    """Trains for a few steps and exports the run: RUN, EXPORT, EXPORT_BFLOAT16 in the folder."""
    run = Path(folder, RUN)
    processes.package(*train_arguments(**workload.overrides(workdir=run, steps=SHORT_RUN)))
    for name, dtype in ((EXPORT, "float32"), (EXPORT_BFLOAT16, "bfloat16")):
        flags = [f"--export_dir={Path(folder, name)}", f"--dtype={dtype}"]
        processes.package("export.py", f"--workdir={run}", *flags)
