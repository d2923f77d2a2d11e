"""`gan-keras-export`: writes a run's generator as a version that TensorFlow Serving loads."""

from absl import flags as absl_flags

from gan_keras import config as configs
from gan_keras.cli import flags
from gan_keras.errors import UsageError, memory_reported

PROGRAM = "gan-keras-export"
SUMMARY = "Exports the generator of a run as a SavedModel version for TensorFlow Serving."


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _export(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)
    absl_flags.DEFINE_string("export_dir", None, "Folder of the versions.", flag_values=values)
    absl_flags.DEFINE_integer(
        "version", None, "Version number (default: the next free one).", flag_values=values
    )
    absl_flags.DEFINE_enum(
        "dtype",
        "float32",
        ["float32", "bfloat16"],
        "What the layers compute in: bfloat16 is faster where the processor has it, and not exact.",
        flag_values=values,
    )
    absl_flags.DEFINE_float(
        "temperature",
        1.0,
        "What latents drawn from seeds are multiplied by: less makes pictures more typical.",
        lower_bound=0.0,
        upper_bound=10.0,
        flag_values=values,
    )


def _export(values):
    for name in ("workdir", "export_dir"):
        if not values[name].value:
            raise UsageError(f"--{name}: required; see {PROGRAM} --help")
    configs.load(values.workdir)  # A wrong folder is reported before TensorFlow is imported.
    flags.import_tensorflow()
    from gan_keras import exporting

    with memory_reported("stop what else uses it, or hide the GPUs: CUDA_VISIBLE_DEVICES=-1"):
        path = exporting.export(
            values.workdir, values.export_dir, values.version, values.dtype, values.temperature
        )
    print(f"exported {path}")
    print(f"serve:  gan-keras-serve --model_base_path {values.export_dir}")
