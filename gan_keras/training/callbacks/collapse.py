"""A watch for the ways in which the game ends early, though every number stays finite."""

import logging

import keras
import numpy as np
import tensorflow as tf

from gan_keras import networks
from gan_keras.config import random_streams
from gan_keras.game import PRIORS
from gan_keras.metrics import duplicates
from gan_keras.training.callbacks.samples import Grid

logger = logging.getLogger(__name__)

# How long a symptom has to last: at the start of a run all three may be there, and pass.
PATIENCE = 1000  # steps
# A quarter of the pairs alike: G makes as few pictures as if there were four of them. Of runs that
# learn (ring, grid, gaussians_1d, mnist, mlp, goodfellow2014_adam) none had more than 0.035 at the
# steps looked at; of goodfellow2014, which does not (docs/results.md), all pairs are alike.
MOST_DUPLICATES = 0.25
# Of the same runs none had a mean below 0.05 over an interval of `log_every`; goodfellow2014 was
# below 0.01 from step 1,000 on. By then -log D(G(z)) is 4.6 nats.
LEAST_ANSWER = 0.01
# Unit roundoff of float32: of weights of norm 1, a gradient below it would move nothing, at a
# learning rate of 1.
ROUNDOFF = 2.0**-24

# What each symptom is called on the progress line.
DUPLICATES, ANSWER, GRADIENT = "near-duplicates", "D(G(z)) stuck", "no gradient"


class Collapse(keras.callbacks.Callback):
    """Warns of near-duplicates, of a D that is never in doubt, and of a G without gradient.

    The three are looked for in samples of fixed latents, the first of them those of the grid,
    and in the mean of D(G(z)). A symptom that has been there at every look for 1,000 steps is
    told once, and once more when it has gone. A resumed run counts anew, as the means of its
    metrics do: neither moves a weight, and old checkpoints need not have it.

    Scalars: `collapse/near_duplicates`, the share of such pairs; `collapse/g_gradient`, the
    norm of G's gradient over that of its weights; `collapse/warnings`, how many there are now.

    Args:
        real: (n, ...) float32 real examples as D sees them, to learn what is near.
        every: Steps between two looks at samples and gradient.
        log_every: Steps between two looks at D(G(z)); the logs are the mean over them.
        stop: Whether a warning ends the training.
        writer: The `CheckedSummaryWriter` of the run; None where another process writes.
        quiet: Whether another process reports the symptoms.

    Attributes:
        warnings: What there is to warn of now: a sentence for each name of a symptom.
    """

    def __init__(self, real, every, log_every, stop, writer=None, quiet=False):
        super().__init__()
        self.near = duplicates.near(_flat(real))
        self.every = every
        self.log_every = log_every
        self.stop = stop
        self.level = logging.DEBUG if quiet else logging.INFO
        self.writer = writer
        self.since = {}
        self.warnings = {}

    def on_train_begin(self, logs=None):
        gan = self.model
        self.latents = PRIORS[gan.prior](
            (Grid.count, gan.latent_dim), seed=[gan.seed, random_streams.GRID]
        )
        classes = networks.classes_of(gan.generator)
        self.labels = tf.range(Grid.count, dtype=tf.int64) % classes if classes else None
        # Traced once, and on a replica: gradients of mirrored weights are had nowhere else.
        self.norms = tf.function(
            lambda: gan.distribute_strategy.run(_norms, args=(gan, self.latents, self.labels))
        )

    def on_train_batch_end(self, batch, logs=None):
        step = self.model.step
        if step % self.log_every == 0:
            self._look_at_answers(float(logs["d_fake"]))
        if step % self.every == 0:
            self._look_at_samples()
        if self.stop and self.warnings:
            self.model.stop_training = True

    def _look_at_answers(self, mean):
        end = round(mean)
        self._note(
            ANSWER,
            abs(mean - end) < LEAST_ANSWER,
            f"D(G(z)) is stuck at {end}: its mean is {mean:.2g}",
        )

    def _look_at_samples(self):
        samples = self.model.generate(self.latents, self.labels).numpy()
        # Weights that are finite can still make samples that are not; the next step tells.
        share = duplicates.share(_flat(np.nan_to_num(samples)), self.near)
        self._note(
            DUPLICATES,
            share >= MOST_DUPLICATES,
            f"{share:.0%} of the pairs of {len(samples)} samples are near-duplicates, "
            f"of real pairs {duplicates.REAL_SHARE:.0%}",
        )
        gradient, weights = (
            float(self.model.distribute_strategy.experimental_local_results(norm)[0])
            for norm in self.norms()
        )
        self._note(
            GRADIENT,
            gradient <= ROUNDOFF * weights,
            f"the generator gets no gradient: its norm is {gradient:.1g}, that of the weights "
            f"{weights:.1g}",
        )
        if self.writer is not None:
            with self.writer.as_default(self.model.step):
                tf.summary.scalar("collapse/near_duplicates", share)
                tf.summary.scalar("collapse/g_gradient", gradient / max(weights, 1e-30))
                tf.summary.scalar("collapse/warnings", len(self.warnings))

    def _note(self, symptom, present, sentence):
        step = self.model.step
        if not present:
            self.since.pop(symptom, None)
            if self.warnings.pop(symptom, None):
                logger.log(self.level, "step %s: recovered from %s", f"{step:,}", symptom)
            return
        since = self.since.setdefault(symptom, step)
        if step - since >= PATIENCE and symptom not in self.warnings:
            self.warnings[symptom] = f"{sentence}, since step {since:,}"
            logger.log(self.level, "step %s: warning: %s", f"{step:,}", self.warnings[symptom])


def _norms(gan, latents, labels):
    """Norms of the gradient of G's loss on these latents, and of G's weights."""
    weights = gan.generator.trainable_variables
    with tf.GradientTape() as tape:
        fake_logits = gan.judge(gan.generate(latents, labels), labels)
        # In pairs with themselves: real ones that D prefers would double the slope at most.
        opposite = [tf.stop_gradient(fake_logits)] if gan.objective.in_pairs else []
        loss = tf.reduce_mean(gan.objective.generator(*opposite, fake_logits))
    gradients = tape.gradient(loss, weights)
    return tf.linalg.global_norm(gradients), tf.linalg.global_norm([w.value for w in weights])


def _flat(examples):
    return np.reshape(examples, (len(examples), -1))
