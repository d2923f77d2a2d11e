"""`gan-keras-export`: writes a generator as a version that TensorFlow Serving loads."""

import shlex

from absl import flags as absl_flags

from gan_keras import config as configs
from gan_keras.cli import flags
from gan_keras.cli.moving_sign import moving_sign
from gan_keras.errors import UsageError, memory_reported

PROGRAM = "gan-keras-export"
SUMMARY = (
    "Exports the generator of a run, or one that ships with the package, as a SavedModel version "
    "for TensorFlow Serving."
)


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _export(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)
    absl_flags.DEFINE_string(
        "pretrained",
        None,
        "Name of a model that ships with the package, such as mnist, in place of --workdir.",
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "export_dir",
        None,
        "Folder of the versions (default with --pretrained: exports/ and the model's name).",
        flag_values=values,
    )
    flags.define_checkpoint(values)
    absl_flags.DEFINE_integer(
        "version", None, "Version number (default: the next free one).", flag_values=values
    )
    absl_flags.DEFINE_enum(
        "dtype",
        "float32",
        ["float32", "bfloat16"],
        "What the layers compute in: bfloat16 is faster where the CPU has it, but less exact.",
        flag_values=values,
    )
    absl_flags.DEFINE_float(
        "temperature",
        1.0,
        "Factor of latents drawn from seeds; below 1: more typical, less varied pictures.",
        lower_bound=0.0,
        upper_bound=10.0,
        flag_values=values,
    )


def _export(values):
    workdir, export_dir = _places(values)
    checkpoint = flags.checkpoint(values)
    flags.import_tensorflow()
    from gan_keras import exporting

    remedy = "stop what else uses it, or hide the GPUs: CUDA_VISIBLE_DEVICES=-1"
    with moving_sign(), memory_reported(remedy):
        path = exporting.export(
            workdir, export_dir, values.version, values.dtype, values.temperature, checkpoint
        )
    print(f"exported {path}")
    print(f"serve:  gan-keras-serve --model_base_path {shlex.quote(str(export_dir))}")


def _places(values):
    """Returns what to export, and where to."""
    if values.pretrained is not None and values.workdir:
        raise UsageError(
            f"--pretrained={values.pretrained} and --workdir={values.workdir}: choose one of them"
        )
    if values.pretrained is not None:
        place = f"pretrained:{values.pretrained}"
        return place, values.export_dir or f"exports/{values.pretrained}"
    for name in ("workdir", "export_dir"):
        if not values[name].value:
            raise UsageError(f"--{name}: required; see {PROGRAM} --help")
    configs.load(values.workdir)  # A wrong folder is reported before TensorFlow is imported.
    return values.workdir, values.export_dir
