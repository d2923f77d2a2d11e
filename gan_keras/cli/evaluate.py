"""`gan-keras-evaluate`: scores the generator of a run, and leaves a card for every score."""

from absl import flags as absl_flags

from gan_keras import config as configs
from gan_keras.cli import flags
from gan_keras.cli.moving_sign import moving_sign
from gan_keras.errors import UsageError, memory_reported
from gan_keras.evaluation import score_cards, score_tables

PROGRAM = "gan-keras-evaluate"
SUMMARY = (
    "Scores the generator of a run against real data, prints reference scores beside it, and "
    "writes a card for every score."
)


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _evaluate(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)
    absl_flags.DEFINE_list(
        "metrics",
        None,
        "Scores, with commas between: frechet_distance (or fid), kernel_distance (or kid), "
        "precision, recall, density, coverage, parzen; with labels also label_accuracy; of "
        "stacked_mnist modes_covered, mode_kl; of a known density jsd, modes_covered, "
        "high_quality (default: all).",
        flag_values=values,
    )
    absl_flags.DEFINE_integer(
        "num_samples",
        10_000,
        "Number of generated samples, and of real ones if there are as many.",
        lower_bound=10,
        upper_bound=10_000_000,
        flag_values=values,
    )
    flags.define_checkpoint(values)
    absl_flags.DEFINE_string(
        "extractor",
        "classifier",
        "Features to compare in: classifier (trained when it is first needed), inception, pixels.",
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "classifier", None, "File of the classifier (default: that of gan-keras-classifier).",
        flag_values=values,
    )  # fmt: skip
    absl_flags.DEFINE_integer(
        "seed", 0, "Seed of latents, choice of real images and resampling.",
        lower_bound=0, upper_bound=2**31 - 1, flag_values=values,
    )  # fmt: skip
    absl_flags.DEFINE_float(
        "temperature", 1.0, "Factor of the latents; below 1: more typical, less varied samples.",
        lower_bound=0.0, upper_bound=10.0, flag_values=values,
    )  # fmt: skip
    absl_flags.DEFINE_boolean(
        "neighbours", False,
        "Draw samples beside their nearest training images, instead of scoring.",
        flag_values=values,
    )  # fmt: skip
    absl_flags.DEFINE_boolean(
        "references", True, "Whether to score real training images and uniform noise as well.",
        flag_values=values,
    )  # fmt: skip


def _evaluate(values):
    if not values.workdir:
        raise UsageError(f"--workdir: required; see {PROGRAM} --help")
    checkpoint = flags.checkpoint(values)
    configs.load(values.workdir)  # A wrong folder is reported before TensorFlow is imported.
    flags.import_tensorflow(onednn=True)
    from gan_keras import evaluation

    if values.neighbours:
        with moving_sign():
            return _draw_neighbours(values, checkpoint)
    remedy = f"stop what else uses it, or try --num_samples below {values.num_samples}"
    with moving_sign(), memory_reported(remedy):
        found = evaluation.evaluate(
            values.workdir,
            None if values.metrics is None else score_tables.metric_names(values.metrics),
            values.num_samples,
            checkpoint,
            values.extractor,
            values.classifier,
            values.seed,
            values.references,
            values.temperature,
        )
    print(*score_tables.table(found), *score_tables.notes(found), sep="\n")
    cards = f"{len(found)} card{'s' * (len(found) != 1)}"
    print(f"wrote {cards} to {values.workdir}/{score_cards.FOLDER}")
    print(f"compare: gan-keras-compare {values.workdir} ANOTHER")


def _draw_neighbours(values, checkpoint):
    if values.metrics is not None:
        raise UsageError(
            f"--metrics={','.join(values.metrics)}: not beside --neighbours; omit one of them"
        )
    from gan_keras import evaluation

    found = evaluation.neighbours(
        values.workdir,
        checkpoint,
        values.extractor,
        values.classifier,
        values.seed,
        values.temperature,
    )
    median = found.card["median_distance"]
    print(
        f"median distance to the nearest of {found.card['training_images']:,} training images "
        f"({found.card['extractor']['name']}): {median['generated']:.4g} of generated images, "
        + (
            "no other real images to compare with"
            if median["real"] is None
            else f"{median['real']:.4g} of real ones that were not trained on"
        )
    )
    print(f"wrote {found.path}: in each row a generated image, then those nearest to it")
