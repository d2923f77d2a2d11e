"""Makes the files of a model that ships with the package, from the folder of a run.

They go to `gan_keras/exporting/pretrained_models/<name>/`: the weights of one checkpoint in half
precision, the score cards of exactly these weights, and a model card with the commands that
make both again. Nothing is replaced before all of it is there.

Usage: python scripts/make_pretrained.py --workdir=runs/mnist_conditional --name=mnist
       [--checkpoint=best] [--output=FOLDER] [--data_dir=FOLDER]
"""

import argparse
import dataclasses
import json
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import gan_keras
from gan_keras import config as configs
from gan_keras import evaluation
from gan_keras.cli import flags
from gan_keras.errors import UserError
from gan_keras.evaluation import classifier, classifier_files, judge, score_cards
from gan_keras.exporting import contract, pretrained, saved_model, trained

PROGRAM = "make_pretrained.py"
COUNT = 10_000  # Pictures that are scored in the classifier's features, as gan-keras-evaluate does;
CHEAP = 1000  # and in pixels, so few that the tests can do it again, by scores of a second each.
CHEAP_METRICS = ("kernel_distance", "precision", "recall")
# Of what is trained on: who made it, and under what terms it may be passed on.
SOURCES = {
    "digits": "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, "
    "https://doi.org/10.24432/C50P49, CC BY 4.0",
    "mnist": "MNIST, Y. LeCun, C. Cortes and C. J. C. Burges, "
    "http://yann.lecun.com/exdb/mnist/, CC BY-SA 3.0",
}


def main(argv=None):
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(PROGRAM, description=__doc__.split("\n\n")[0])
    parser.add_argument("--workdir", required=True, help="folder of the run")
    parser.add_argument("--name", required=True, help="what follows `pretrained:`")
    parser.add_argument("--checkpoint", help="training step, or best (default: the newest)")
    parser.add_argument("--output", help="folder to make (default: in the package)")
    parser.add_argument("--data_dir", help="folder of prepared TFDS data sets")
    parser.add_argument("--metrics", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=COUNT, help=argparse.SUPPRESS)
    values = parser.parse_args(argv)
    return flags.guarded(PROGRAM, lambda: make(values))


def make(values):
    """Writes the folder whole, in the place of the one before, or leaves that."""
    output = Path(values.output or pretrained.FOLDER / values.name)
    run = trained.restore(values.workdir, flags.checkpoint(values))
    if run.config.dataset not in SOURCES:
        raise UserError(
            f"--workdir={values.workdir}: trained on {run.config.dataset}, whose terms are not "
            f"known here; add them to SOURCES in {__file__}"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".making-") as making:
        folder = Path(making, "model")
        trained.write(run, folder)
        agreement = score(run, folder, values)
        write_card(run, folder, values, agreement)
        check(folder)
        if output.exists():
            shutil.rmtree(output)
        folder.rename(output)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"wrote {output}: {size:,} bytes of at most {pretrained.MOST_BYTES:,}")
    print(f"try:   gan-keras-export --pretrained={values.name}")


def score(run, folder, values):
    """Writes the cards of the weights that ship; returns the share of pictures as asked."""
    config = run.config
    if values.data_dir:
        config = dataclasses.replace(config, data_dir=values.data_dir)
    name = Path(values.workdir).resolve().name
    metrics = values.metrics and values.metrics.split(",")
    for extractor, count, names in (
        ("classifier", values.count, metrics),
        ("pixels", min(CHEAP, values.count), metrics or CHEAP_METRICS),
    ):
        judged = evaluation.Judge(config, names, count, extractor)
        cards = judged.generator(run.generator, run.step, name)
        if extractor == "classifier":
            cards += judged.references(folder / pretrained.SCORES)
        for card in cards:
            score_cards.save(card, folder / pretrained.SCORES)
    return as_asked(run, config, values.count) if config.conditional else None


def as_asked(run, config, count):
    """Returns the share of pictures that this package's classifier takes for what was asked."""
    path = classifier_files.default_path(config.dataset, config.image_size, config.channels)
    network = classifier.load(path).network
    labels = np.arange(count) % len(run.classes)
    latents = judge.latents(config.prior, count, config.latent_dim, seed=0)
    right = 0
    for rows in np.array_split(np.arange(count), max(1, count // judge.CHUNK)):
        inputs = [tf.gather(latents, rows), tf.constant(labels[rows])]
        pictures = run.generator(inputs, training=False)
        logits = network(pictures, training=False).numpy()
        right += int((logits.argmax(axis=-1) == labels[rows]).sum())
    return {
        "share": right / count,
        "pictures": count,
        "by": f"the classifier of {config.dataset}, {path.name}",
    }


def write_card(run, folder, values, agreement):
    """Writes what the model is, and how to make it again."""
    again = ["python", "scripts/make_pretrained.py", f"--workdir=runs/{values.name}"]
    again += [f"--name={values.name}"]
    again += [f"--checkpoint={values.checkpoint}"] if values.checkpoint else []
    card = {
        "name": values.name,
        "step": run.step,
        "dataset": run.config.dataset,
        "data": SOURCES[run.config.dataset],
        "parameters": run.generator.count_params(),
        "weights": "kernels in half precision, vectors in single precision",
        "made_with": [train_command(run.config, values.name), shlex.join(again)],
        **({"classified_as_asked": agreement} if agreement else {}),
        "git_commit": saved_model.git_commit(),
        "versions": {
            "gan_keras": gan_keras.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }
    path = folder / contract.MODEL_CARD_FILE
    path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def train_command(config, name):
    """Returns the command line that trains the run again."""
    preset = configs.from_preset(config.preset)
    given = [
        f"--{item.name}={getattr(config, item.name)}"
        for item in dataclasses.fields(config)
        if item.name != "data_dir" and getattr(config, item.name) != getattr(preset, item.name)
    ]
    words = [f"--preset={config.preset}", *given, f"--workdir=runs/{name}"]
    return shlex.join(["gan-keras-train", *words])


def check(folder):
    """Refuses what is too large, or cannot be read back."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > pretrained.MOST_BYTES:
        raise UserError(
            f"{size:,} bytes, where {pretrained.MOST_BYTES:,} are the most; train a smaller --width"
        )
    trained.restore_shipped(folder)


if __name__ == "__main__":
    sys.exit(main())
