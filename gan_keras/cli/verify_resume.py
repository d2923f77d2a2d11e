"""`gan-keras-verify-resume`: whether a run resumes exactly after a stop."""

from absl import flags as absl_flags

from gan_keras import config as configs
from gan_keras.cli import flags
from gan_keras.cli.moving_sign import moving_sign
from gan_keras.errors import UsageError, UserError

PROGRAM = "gan-keras-verify-resume"
SUMMARY = (
    "Trains twice from a run's checkpoint, in temporary folders: once in one go, once with a stop "
    "in the middle. Compares every bit of weights and optimizer state."
)
NAMED = 3  # Variables that a verdict names.


def run(argv=None):
    """Runs the command and returns its exit status: 0 if all is equal, 1 if not."""
    return flags.guarded(PROGRAM, lambda: _verify(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)
    absl_flags.DEFINE_integer(
        "steps", 20, "Steps to train; the stop is in the middle.", flag_values=values
    )
    absl_flags.DEFINE_integer(
        "checkpoint",
        None,
        "Checkpoint to start from, by its step; 0: the initial weights (default: the newest).",
        lower_bound=0,
        flag_values=values,
    )


def _verify(values):
    if not values.workdir:
        raise UsageError(f"--workdir: required; see {PROGRAM} --help")
    configs.load(values.workdir)  # A wrong folder is reported before TensorFlow is imported.
    flags.import_tensorflow(onednn=True)
    from gan_keras.training import verify_resume as resuming

    with moving_sign():
        found = resuming.verify(
            values.workdir,
            values.steps,
            values.checkpoint,
        )
    before, after = found.steps
    way = f"after {before} + {after} steps from step {found.first_step:,}"
    if found.differences:
        names = ", ".join(list(found.differences)[:NAMED])
        raise UserError(
            f"--workdir={values.workdir}: does not resume exactly: {len(found.differences)} of "
            f"{found.compared} variables differ {way}, first {names}; largest difference "
            f"{found.largest:.3g}; exact is what a CPU promises, and a GPU with --deterministic"
        )
    print(f"resumes exactly: {found.compared} variables are bit-identical {way}")
