"""The game's numbers in TensorBoard, with where the theory says that they end."""

import time

import keras
import tensorflow as tf
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar

from gan_keras import theory

# Runs beside `train` that hold one constant per tag, in nats and probabilities: TensorBoard
# draws them into the same charts. Goodfellow et al. 2014, theorem 1 and what its bound implies:
BOUNDS = {
    # p_g = p_data, where D = 1/2 everywhere.
    "equilibrium": {
        "d_loss": theory.LOG_4,
        "value": -theory.LOG_4,
        "d_real": 0.5,
        "d_fake": 0.5,
        "jsd_lower_bound": 0.0,
    },
    # p_g and p_data have nothing in common, and D is never wrong.
    "disjoint": {"value": 0.0, "jsd_lower_bound": theory.LOG_4 / 2},
}

# Chart by chart: a title, and a pattern for the tags in it.
THEORY = {
    "V(D, G), from -log 4 (equilibrium) to 0 (disjoint), in nats": r"^value$",
    "JSD(p_data || p_g) and its bound (V + log 4)/2, in nats": r"^jsd(_lower_bound)?$",
    "D(x) and D(G(z)), 1/2 at the equilibrium": r"^d_(real|fake)$",
}


class Scalars(keras.callbacks.Callback):
    """Writes the means of the steps since the last writing, and images/s.

    To the model's metrics it adds `jsd_lower_bound` = (V + log 4) / 2 <= JSD(p_data || p_g).

    Args:
        writer: The `CheckedSummaryWriter` of the run.
        bounds: The writers of the runs in `BOUNDS`, by their names.
        every: Steps between two points.
        batch_size: Real examples per step, for the speed.
    """

    def __init__(self, writer, bounds, every, batch_size):
        super().__init__()
        self.every = every
        self.batch_size = batch_size
        self.writer = writer
        self.bounds = bounds
        self.since = None

    def on_train_begin(self, logs=None):
        with self.writer.as_default(self.model.step):
            tf.summary.experimental.write_raw_pb(
                custom_scalar.pb(_layout()).SerializeToString(), step=self.model.step
            )

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
            tf.summary.scalar("jsd_lower_bound", (logs["value"] + theory.LOG_4) / 2)
            if steps:
                tf.summary.scalar("images_per_second", steps * self.batch_size / seconds)
        for run, writer in self.bounds.items():
            with writer.as_default(step):
                for name, value in BOUNDS[run].items():
                    tf.summary.scalar(name, value)
        for writer in (self.writer, *self.bounds.values()):
            writer.flush()


class Restart(keras.callbacks.Callback):
    """Starts the means of the metrics anew every so many steps, after `Scalars` has read them.

    Every worker needs it: to set a metric's variable is an operation of the whole cluster, and
    one worker alone would meet the others' gradients in it.

    Args:
        every: Steps between two points.
    """

    def __init__(self, every):
        super().__init__()
        self.every = every

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step % self.every == 0:
            self.model.reset_metrics()


def _layout():
    """The tab "Custom scalars": the theory's charts in one group."""
    charts = [
        layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=[pattern]))
        for title, pattern in THEORY.items()
    ]
    return layout_pb2.Layout(category=[layout_pb2.Category(title="Theory", chart=charts)])
