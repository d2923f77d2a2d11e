"""`gan-keras-classifier`: trains the classifier whose features judge a run's images."""

import dataclasses
import shlex
from pathlib import Path

from absl import flags as absl_flags

from gan_keras import config as configs
from gan_keras.cli import flags
from gan_keras.errors import UsageError

PROGRAM = "gan-keras-classifier"
OF_IMAGES = ("image_size", "channels")
SUMMARY = (
    "Trains a small classifier on a data set's own labels, without a network. "
    "Evaluation compares real and generated images by its features."
)


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _classify(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_string(
        "dataset",
        None,
        "`digits`, a TFDS image data set with labels, or `folder:/path` of sub-folders.",
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "data_dir",
        "",
        "Folder of prepared TFDS data sets; else $TFDS_DATA_DIR.",
        flag_values=values,
    )
    for name, text in (
        ("image_size", "Height and width of the images, in pixels"),
        ("channels", "1 for grey images, 3 for colour"),
    ):
        absl_flags.DEFINE_integer(
            name,
            None,
            f"{text} (default: as a run on the data set has them).",
            flag_values=values,
        )
    absl_flags.DEFINE_integer(
        "epochs",
        None,
        "How often each image is seen (default: 3 times, or as often as makes 60,000 images).",
        lower_bound=1,
        upper_bound=2**31 - 1,
        flag_values=values,
    )
    absl_flags.DEFINE_integer(
        "seed", 0, "Seed of the weights and the order of the data.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "output",
        None,
        "File to write (default: where evaluation looks, in ~/.cache/gan_keras/classifiers).",
        flag_values=values,
    )


def _classify(values):
    if not values.dataset:
        raise UsageError(f"--dataset: required; see {PROGRAM} --help")
    preset = _preset(values.dataset)
    fields = {} if preset is None else configs.PRESETS[preset]
    given = {
        name: values[name].value
        for name in ("dataset", "data_dir", *OF_IMAGES, "seed")
        if values[name].value is not None
    }
    of_images = {name: fields[name] for name in OF_IMAGES if name in fields}
    config = configs.Config(**{**of_images, **given})
    flags.import_tensorflow(onednn=True)
    from gan_keras import data
    from gan_keras.data import folder
    from gan_keras.evaluation import classifier_files, classifier_training

    if config.dataset.startswith(folder.PREFIX):
        chosen = configs.folder_choice.choose(data.survey(config.dataset))
        of_folder = {name: chosen[name][0] for name in OF_IMAGES if name not in given}
        config = dataclasses.replace(config, **of_folder)
    usual = classifier_files.default_path(config.dataset, config.image_size, config.channels)
    path = Path(values.output) if values.output else usual
    made = classifier_training.make(config, path, values.epochs)
    print(f"accuracy: {made.about['accuracy']:.2%} of {made.about['tested_on']}")
    print(f"wrote {path}, SHA-256 {made.sha256}")
    run = Path("runs", preset or "")
    if preset and (run / configs.CONFIG_FILE).is_file():
        evaluate = ["gan-keras-evaluate", f"--workdir={run}"]
        evaluate += [] if path == usual else [f"--classifier={path}"]
        print(f"next:  {shlex.join(evaluate)}")


def _preset(dataset):
    """The first preset of a data set, which a run without --workdir is named after."""
    names = (name for name, fields in configs.PRESETS.items() if fields["dataset"] == dataset)
    return next(names, None)
