"""Grids of pictures: what the generator makes of the same latents as it learns."""

from pathlib import Path

import keras
import tensorflow as tf

from gan_keras import images
from gan_keras.priors import PRIORS

COUNT = 64
# Seeds of training noise are (seed, draw) with draw >= 0: no training step sees these latents.
FIXED_DRAW = -1


class Samples(keras.callbacks.Callback):
    """Writes a grid of generated images to TensorBoard and as PNG, and once of real ones.

    Args:
        writer: `tf.summary.SummaryWriter` of the run.
        folder: Folder of the PNG files: `real.png` and `step-<step>.png`.
        every: Steps between two grids.
        real: Real images for comparison, uint8 (count, height, width, channels).
    """

    def __init__(self, writer, folder, every, real):
        super().__init__()
        self.writer = writer
        self.every = every
        self.folder = Path(folder)
        self.real = real
        self.written = None

    def on_train_begin(self, logs=None):
        gan = self.model
        self.latents = PRIORS[gan.prior]((COUNT, gan.latent_dim), seed=[gan.seed, FIXED_DRAW])
        if gan.step == 0:
            self._write("real", "real", self.real)
            self._sample()

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step % self.every == 0:
            self._sample()

    def on_train_end(self, logs=None):
        if self.written != self.model.step:
            self._sample()

    def _sample(self):
        self.written = self.model.step
        generated = images.to_uint8(self.model(self.latents, training=False).numpy())
        self._write("samples", f"step-{self.written:06}", generated)

    def _write(self, tag, name, pictures):
        grid = images.grid(pictures)
        self.folder.mkdir(parents=True, exist_ok=True)
        images.save_png(self.folder / f"{name}.png", grid)
        with self.writer.as_default(self.model.step):
            tf.summary.image(tag, grid[None])
        self.writer.flush()
