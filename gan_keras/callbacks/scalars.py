"""The game's numbers in TensorBoard, with where the theory says that they end."""

import math
import time

import keras
import tensorflow as tf

# Where p_g = p_data and D = 1/2 everywhere (Goodfellow et al. 2014, theorem 1), in nats.
EQUILIBRIUM = {
    "d_loss": math.log(4),
    "value": -math.log(4),
    "d_real": 0.5,
    "d_fake": 0.5,
}


class Scalars(keras.callbacks.Callback):
    """Writes the means of the steps since the last writing, and images/s.

    Args:
        writer: `tf.summary.SummaryWriter` of the run.
        equilibrium: The writer of a run beside it, for the constants that TensorBoard draws
            into the same charts.
        every: Steps between two points.
        batch_size: Real images per step, for the speed.
    """

    def __init__(self, writer, equilibrium, every, batch_size):
        super().__init__()
        self.every = every
        self.batch_size = batch_size
        self.writer = writer
        self.equilibrium = equilibrium
        self.since = None

    def on_train_batch_end(self, batch, logs=None):
        now, step = time.monotonic(), self.model.step
        if self.since is None:  # The call that traced the graph says nothing about the speed.
            self.since = now, step
        if step % self.every:
            return
        seconds, steps = now - self.since[0], step - self.since[1]
        self.since = now, step
        with self.writer.as_default(step):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
            if steps:
                tf.summary.scalar("images_per_second", steps * self.batch_size / seconds)
        with self.equilibrium.as_default(step):
            for name, value in EQUILIBRIUM.items():
                tf.summary.scalar(name, value)
        self.model.reset_metrics()
