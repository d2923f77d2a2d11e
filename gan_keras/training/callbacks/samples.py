"""Pictures: what the generator makes of the same latents as it learns."""

import logging
import re
from pathlib import Path

import keras
import tensorflow as tf

from gan_keras.config import random_streams
from gan_keras.drawing import figures, images
from gan_keras.game import PRIORS

MOST_ROWS = 16
ANIMATION_FILE = "animation.gif"
# What reading, joining and writing pictures may end in: Pillow has a SyntaxError for a broken PNG.
FAILURES = (OSError, ValueError, SyntaxError)

logger = logging.getLogger(__name__)


class Samples(keras.callbacks.Callback):
    """Writes a picture to TensorBoard and as PNG, time and again, and an animation at the end.

    Pictures are there to be looked at: one that cannot be drawn or written costs a warning, and
    never the run.

    Args:
        writer: The `CheckedSummaryWriter` of the run.
        folder: Folder of the files: `step-<step>.png`, `animation.gif`, and `real.png`.
        every: Steps between two pictures.
        look: What to draw; has `count`, the number of latents it wants, and `draw(gan, latents)`,
            which returns a uint8 (height, width, channels) picture and a dict of scalars. It
            adds labels itself, where the GAN takes them.
        real: A picture of real data to compare with, or None.
    """

    def __init__(self, writer, folder, every, look, real=None):
        super().__init__()
        self.writer = writer
        self.every = every
        self.folder = Path(folder)
        self.look = look
        self.real = real
        self.written = None

    def on_train_begin(self, logs=None):
        gan = self.model
        self.latents = PRIORS[gan.prior](
            (self.look.count, gan.latent_dim), seed=[gan.seed, random_streams.GRID]
        )
        if gan.step == 0:
            if self.real is not None:
                self._write("real", "real", self.real, {})
            self._sample()

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step % self.every == 0:
            self._sample()

    def on_train_end(self, logs=None):
        if self.written != self.model.step:
            self._sample()
        path = self.folder / ANIMATION_FILE
        try:
            pictures = _whole(_of_steps(self.folder))
            if pictures:
                figures.save_gif(path, pictures)
        except FAILURES as error:
            logger.warning("%s: is not made: %s", path, _reason(error))

    def _sample(self):
        self.written = self.model.step
        picture, scalars = self.look.draw(self.model, self.latents)
        self._write("samples", f"step-{self.written:06}", picture, scalars)

    def _write(self, tag, name, picture, scalars):
        path = self.folder / f"{name}.png"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            images.save_png(path, picture)
        except FAILURES as error:
            logger.warning("%s: cannot be written: %s", path, _reason(error))
        with self.writer.as_default(self.model.step):
            tf.summary.image(tag, picture[None])
            for scalar, value in scalars.items():
                tf.summary.scalar(scalar, value)
        self.writer.flush()


class Rows:
    """A grid of generated images with a row per class, each of the same latents.

    Args:
        classes: Number of classes, of which the first 16 are shown.
    """

    count = 10

    def __init__(self, classes):
        self.labels = range(min(classes, MOST_ROWS))

    def draw(self, gan, latents):
        inputs = [
            tf.tile(latents, (len(self.labels), 1)),
            tf.repeat(tf.range(len(self.labels), dtype=tf.int64), self.count),
        ]
        pictures = images.to_uint8(gan(inputs, training=False).numpy())
        return images.grid(pictures, columns=self.count), {}


def _of_steps(folder):
    """The pictures of steps, in their order; others with like names are not ours."""
    steps = {}
    for path in folder.iterdir():
        if match := re.fullmatch(r"step-([0-9]+)\.png", path.name):
            steps[int(match[1])] = path
    return [steps[step] for step in sorted(steps)]


def _whole(pictures):
    """Those that can be read, after a warning of the others."""
    whole = []
    for path in pictures:
        try:
            images.decode_png(path.read_bytes())
            whole.append(path)
        except FAILURES as error:
            logger.warning("%s: left out of the animation: %s", path, _reason(error))
    return whole


def _reason(error):
    return getattr(error, "strerror", None) or error


class Grid:
    """A grid of generated images."""

    count = 64

    def draw(self, gan, latents):
        return images.grid(images.to_uint8(gan(latents, training=False).numpy())), {}
