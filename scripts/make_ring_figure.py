"""Draws what pairs and penalties do to the game on the preset `ring`: a figure of docs/theory.md.

Usage: python scripts/make_ring_figure.py [folder]
"""

import io
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gan_keras import config as configs
from gan_keras import data, evaluation
from gan_keras.drawing import figures
from gan_keras.training import run as training

FOLDER = Path(__file__).parent.parent / "docs" / "images"
COLORS = 128
STEPS, EVERY, SAMPLES, SHOWN = 10_000, 250, 10_000, 500
PENALTY = 0.5  # Of R1 and of R2.
RATE = 0.02  # Of G; that of D is twice as large.
LOSSES = {"non_saturating": figures.BLUE, "relativistic": figures.ORANGE}


def train(loss, weight):
    """Returns the JSD of 10,000 samples in nats after every EVERY steps, and the last samples."""
    config = configs.from_preset(
        "ring",
        generator_loss=loss,
        r1_weight=weight,
        r2_weight=weight,
        steps=STEPS,
        # Plain gradient descent at rates that stay, as in the theory: no other help to rest.
        optimizer="momentum",
        momentum=0.0,
        final_momentum=0.0,
        learning_rate=RATE,
        discriminator_learning_rate=2 * RATE,
        learning_rate_decay=1.0,
        mixed_precision="float32",
    )
    gan, points = training.build(config), data.load(config)
    gan.steps_per_execution = EVERY
    latents = tf.random.stateless_normal((SAMPLES, config.latent_dim), (0, 0))
    found = []

    def look(*_):
        samples = gan(latents).numpy() * points.scale
        found.append((evaluation.jsd(points.density, samples), samples[:SHOWN]))

    gan.fit(
        points.batches(config.batch_size, config.seed),
        epochs=STEPS // EVERY,
        steps_per_epoch=EVERY,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)],
        verbose=0,
        shuffle=False,
    )
    return np.array([jsd for jsd, _ in found]), found[-1][1]


def draw():
    figure = Figure((9, 3.8), 100, facecolor="white", layout="constrained")
    axes = figure.subplot_mosaic("AABC;AADE")
    steps = EVERY * np.arange(1, STEPS // EVERY + 1)
    cells = iter("BCDE")
    for weight, style in ((0.0, ":"), (PENALTY, "-")):
        for loss, color in LOSSES.items():
            label = loss.replace("_", "-") + (f", R1 + R2, {weight:g}" if weight else "")
            jsd, samples = train(loss, weight)
            print(f"{label}: JSD {jsd[-1]:.4f} nats, least {jsd.min():.4f}", flush=True)
            axes["A"].plot(steps, jsd, style, color=color, label=label)
            cell = axes[next(cells)]
            cell.plot(*samples.T, ".", color=color, markersize=2)
            cell.set(xticks=[], yticks=[], xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
            cell.set_title(label.replace(", R1", "\nR1"), fontsize=figures.SMALL)
    axes["A"].axhline(np.log(2), color="0.6", linewidth=0.8)
    axes["A"].set(xlabel="step", ylim=(0, 0.75), title="JSD($p_{data}$ || $p_g$), nats")
    axes["A"].legend(frameon=False, fontsize=figures.SMALL)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[:, :, :3]


def main(folder=FOLDER):
    buffer = io.BytesIO()
    Image.fromarray(draw()).quantize(COLORS).save(buffer, "PNG", optimize=True)
    path = Path(folder, "pairs_on_the_ring.png")
    path.write_bytes(buffer.getvalue())
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
