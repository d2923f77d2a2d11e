"""The game's numbers in TensorBoard, with where the theory says that they end."""

import dataclasses
import time

import keras
import tensorflow as tf
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar

from gan_keras import theory

# Runs beside `train` that hold one constant per tag: TensorBoard draws them into the same charts.
# p_g = p_data, where D = 1/2 everywhere; and p_g and p_data have nothing in common, and D is never
# wrong.
BOUNDS = ("equilibrium", "disjoint")


@dataclasses.dataclass(frozen=True)
class Meaning:
    """What the game's numbers mean, and where the theory says that they end.

    V is a mean of n logarithms, and V = -n log 2 where p_g = p_data. (V + n log 2)/n is a lower
    bound of a divergence which is 0 there, and log 2 where the two have nothing in common.

    Attributes:
        bound: Tag of that lower bound.
        constants: For each of `BOUNDS`, the constants by their tags, in nats and probabilities.
        captions: For each tag, what it is.
        charts: Titles of the charts, each with a pattern for the tags in it.
    """

    bound: str
    constants: dict
    captions: dict
    charts: dict


def meaning(objective):
    """Returns the Meaning of an `Objective`.

    References:
        Goodfellow et al. 2014, theorem 1, https://arxiv.org/abs/1406.2661; of pairs:
        `theory.pair_value`.
    """
    if objective.in_pairs:
        bound, most, value = "pair_jsd_lower_bound", "log 2", "E[log sigmoid(l(x) - l(G(z)))]"
        of, tags = "JSD(p_data x p_g || p_g x p_data)", bound
        formula, d = f"V + {most}", "D's probability that {} is the real one of a pair"
    else:
        bound, most, value = "jsd_lower_bound", "log 4", "E[log D(x)] + E[log(1 - D(G(z)))]"
        of, tags = "JSD(p_data || p_g)", f"(jsd|{bound})"
        formula, d = f"(V + {most})/2", "D's probability that {} is real"
    end = objective.terms * theory.LOG_4 / 2
    captions = {
        "value": f"V = {value}, nats: -{most} at the equilibrium, 0 where D is never wrong.",
        "d_loss": f"-V, nats: {most} at the equilibrium.",
        "d_real": f"{d.format('x')}, mean: 1/2 at the equilibrium.",
        "d_fake": f"{d.format('G(z)')}, mean: 1/2 at the equilibrium.",
        bound: f"{formula}, nats: no {of} is below it; 0 at the equilibrium.",
    }
    if objective.in_pairs:
        captions["g_loss"] = "-E[log sigmoid(l(G(z)) - l(x))], nats: log 2 at the equilibrium."
    equilibrium = {"d_loss": end, "value": -end, "d_real": 0.5, "d_fake": 0.5, bound: 0.0}
    return Meaning(
        bound,
        {"equilibrium": equilibrium, "disjoint": {"value": 0.0, bound: theory.LOG_4 / 2}},
        captions,
        {
            f"V = {value}, from -{most} (equilibrium) to 0 (disjoint), in nats": r"^value$",
            f"{formula}, a lower bound of {of}, in nats": f"^{tags}$",
            f"{d.format('x')}, and G(z); 1/2 at the equilibrium": r"^d_(real|fake)$",
        },
    )


class Scalars(keras.callbacks.Callback):
    """Writes the means of the steps since the last writing, and images/s.

    To the model's metrics it adds `jsd_lower_bound` = (V + log 4) / 2 <= JSD(p_data || p_g), or
    what `meaning` has in its place.

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
        self.meaning = meaning(self.model.objective)
        with self.writer.as_default(self.model.step):
            tf.summary.experimental.write_raw_pb(
                custom_scalar.pb(_layout(self.meaning.charts)).SerializeToString(),
                step=self.model.step,
            )

    def restart_clock(self):
        """Begins to measure the speed anew, as after a pause."""
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
            terms = self.model.objective.terms
            bound = logs["value"] / terms + theory.LOG_4 / 2
            for name, value in {**logs, self.meaning.bound: bound}.items():
                tf.summary.scalar(name, value, description=self.meaning.captions.get(name))
            if (probability := self.model.augmentation.probability) is not None:
                tf.summary.scalar("augment_probability", probability.value)
            if steps:
                tf.summary.scalar("images_per_second", steps * self.batch_size / seconds)
        for run, writer in self.bounds.items():
            with writer.as_default(step):
                for name, value in self.meaning.constants[run].items():
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


def _layout(charts):
    """The tab "Custom scalars": the theory's charts in one group."""
    charts = [
        layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=[pattern]))
        for title, pattern in charts.items()
    ]
    return layout_pb2.Layout(category=[layout_pb2.Category(title="Theory", chart=charts)])
