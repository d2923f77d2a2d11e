"""Generative adversarial networks as Keras models."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from gan_keras.config import random_streams
from gan_keras.game import average, compiled_step, penalties
from gan_keras.game import finite_check as health
from gan_keras.game.augmentation import Augmentation
from gan_keras.game.losses import OBJECTIVES, share_of_global_mean
from gan_keras.game.priors import COMPILED, PRIORS, normal

# Random streams of what D sees: for its noise, and for its augmentation.
REAL = random_streams.REAL_NOISE, random_streams.REAL_AUGMENTATION
FAKE = random_streams.FAKE_NOISE, random_streams.FAKE_AUGMENTATION
ANSWER = random_streams.ANSWER_NOISE, random_streams.ANSWER_AUGMENTATION

METRICS = ("d_loss", "g_loss", "value", "d_real", "d_fake")


@keras.saving.register_keras_serializable(package="gan_keras")
class GAN(keras.Model):
    """The two-player game min_G max_D V(D, G), played by Algorithm 1.

    `gan(latents)` samples: it maps latents (batch, latent_dim) to images. `fit` takes a
    `tf.data.Dataset` of real batches; with `discriminator_steps` k > 1, of tuples of k.

    All noise follows from `seed` and the step: row i of the global batch of a step gets the
    same latent vector however many devices share the batch, and after any restart.

    Metrics, as means over the steps since they were reset: `d_loss` and `g_loss` (nats),
    `value` (V(D, G) = -d_loss), `d_real` and `d_fake` (D(x) and D(G(z)): D's probability that x,
    or G(z), is real; if the loss compares pairs, that it is the real one of the pair).

    Args:
        generator: Model from latents (batch, latent_dim) to images.
        discriminator: Model from images to logits (batch, 1).
        prior: `normal` or `uniform`.
        generator_loss: A key of `losses.OBJECTIVES`: `non_saturating`, `minimax` or, for both
            players, `relativistic`.
        discriminator_steps: k, the discriminator's updates per step.
        instance_noise: Standard deviation, at step 0, of Gaussian noise on all that D sees.
            Densities with little in common (V near 0) then overlap, and G learns the way to
            data that it never makes. 0: Algorithm 1 as published.
        instance_noise_steps: Steps over which that noise falls linearly to 0.
        augment: Changes to all images that D sees: keys of `augmentation.KINDS`.
        augment_target: 0: always augment. Above 0: the probability of each change adapts, to
            keep the mean sign of D's logits of real images at this value.
        ema_decay: Decay per step of an exponential moving average of G's weights, which then
            samples in G's place (`average`). 0: none.
        r1_weight: Weight of half the squared slope of D at real examples, in D's loss.
        r2_weight: The same at generated examples.
        penalty_every: Steps from one penalty to the next; each is multiplied by it.
        seed: Integer from which all noise follows.

    Attributes:
        sampler: The generator to sample from: `ema_generator` if there is one, else `generator`.

    References:
        Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661
        Instance noise: Sønderby et al. 2017, https://arxiv.org/abs/1610.04490; Arjovsky and
        Bottou 2017, https://arxiv.org/abs/1701.04862
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        prior: str = "normal",
        generator_loss: str = "non_saturating",
        discriminator_steps: int = 1,
        instance_noise: float = 0.0,
        instance_noise_steps: int = 1,
        augment: Sequence[str] = (),
        augment_target: float = 0.0,
        ema_decay: float = 0.0,
        r1_weight: float = 0.0,
        r2_weight: float = 0.0,
        penalty_every: int = 1,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.prior = prior
        self.generator_loss = generator_loss
        self.objective = OBJECTIVES[generator_loss]
        self.discriminator_steps = discriminator_steps
        self.instance_noise = instance_noise
        self.instance_noise_steps = instance_noise_steps
        self.augmentation = Augmentation(augment, augment_target)
        self.ema_decay = ema_decay
        self.ema_generator = average.copy_of(generator) if ema_decay else None
        if r1_weight or r2_weight:
            penalties.refuse_batch_statistics(discriminator)
        self.r1_weight = r1_weight
        self.r2_weight = r2_weight
        self.penalty_every = penalty_every
        self.seed = seed
        # Counted here: an optimizer that scales its loss does not count the updates it skips.
        self.steps = self.add_weight(
            name="steps",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )
        self.trackers = {name: keras.metrics.Mean(name=name) for name in METRICS}
        self.built = True  # The networks came built.

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
    ) -> None:
        """Sets the optimizers, the steps per call of the graph, and whether XLA compiles it.

        Call it inside the scope of the strategy that trains: the optimizers' variables are
        made here, since a strategy cannot make them while the step is traced.
        """
        super().compile(
            optimizer=None, steps_per_execution=steps_per_execution, jit_compile=jit_compile
        )
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        generator_optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)

    @property
    def metrics(self):
        return list(self.trackers.values())

    @property
    def step(self) -> int:
        """Training steps done, an integer."""
        return int(self.steps.numpy())

    @property
    def sampler(self) -> keras.Model:
        return self.ema_generator or self.generator

    @property
    def latent_dim(self) -> int:
        return self.generator.inputs[0].shape[-1]

    def call(self, inputs, training=False):
        return self.sampler(inputs, training=training)

    def train_step(self, data):
        """One round of Algorithm 1: k discriminator updates, then one generator update."""
        for i, (real, labels) in enumerate(self._rounds(data)):
            latents = self._draw_latents(tf.shape(real)[0], i)
            with tf.GradientTape() as generator_tape:
                fake = self.generate(latents, labels, training=True)
            real = self._seen(real, REAL, i)
            self._update_discriminator(real, self._seen(tf.stop_gradient(fake), FAKE, i), labels)
        # The last fakes serve both players: D was updated on them, and G is now updated against
        # that D. This saves a pass through the generator.
        self._update_generator(real, fake, labels, generator_tape)
        self.steps.assign_add(1)

    def _rounds(self, data):
        """The real batch and its labels (here None) for each update of D."""
        return [(real, None) for real in (data if isinstance(data, tuple) else (data,))]

    def generate(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """The examples that G, not its average, makes of latents."""
        return self.generator(latents, training=training)

    def judge(
        self, examples: tf.Tensor, labels: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """The logits of D."""
        return self.discriminator(examples, training=training)

    def _update_discriminator(self, real, fake, labels):
        with tf.GradientTape() as tape:
            real_logits = self.judge(real, labels, training=True)
            fake_logits = self.judge(fake, labels, training=True)
            losses = self.objective.discriminator(real_logits, fake_logits)
            loss = self.discriminator_optimizer.scale_loss(share_of_global_mean(losses))
        variables = self.discriminator.trainable_variables
        gradients = penalties.add(self, tape.gradient(loss, variables), real, fake, labels)
        self._apply(self.discriminator_optimizer, gradients, variables, "d_loss", losses)
        self.trackers["d_loss"].update_state(losses)
        self.trackers["value"].update_state(-losses)
        d_real, d_fake = self.objective.probabilities(real_logits, fake_logits)
        self.trackers["d_real"].update_state(d_real)
        self.trackers["d_fake"].update_state(d_fake)
        self.augmentation.adapt(d_real)

    def _update_generator(self, real, fake, labels, generator_tape):
        # The chain rule in two parts, d loss / d fake and d fake / d weights, so that the
        # gradients of D's weights, which nobody needs here, are never computed.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(fake)
            fake_logits = self.judge(self._seen(fake, ANSWER), labels, training=True)
            losses = self.objective.generator(*self._opposite(real, labels), fake_logits)
            loss = self.generator_optimizer.scale_loss(share_of_global_mean(losses))
        variables = self.generator.trainable_variables
        gradients = generator_tape.gradient(
            fake, variables, output_gradients=tape.gradient(loss, fake)
        )
        averages = self._statistics()
        self._apply(self.generator_optimizer, gradients, variables, "g_loss", losses, averages)
        self.trackers["g_loss"].update_state(losses)

    def _opposite(self, real, labels):
        """[The logits of real examples] where G's loss compares with them, and [] elsewhere."""
        return [self.judge(real, labels, training=True)] if self.objective.in_pairs else []

    def _apply(self, optimizer, gradients, variables, name, losses, statistics=()):
        """Updates the weights; stops before that if losses or gradients are not finite."""
        scale = getattr(optimizer, "dynamic_scale", None)
        checked = health.checked(name, self.steps.value, losses, gradients, statistics, scale)
        optimizer.apply(checked, variables)

    def _statistics(self):
        """State that is not trained: the moving averages of batch normalisation."""
        states = self.generator.non_trainable_variables + self.discriminator.non_trainable_variables
        return [each.value for each in states if each.dtype == "float32"]

    def _draw_latents(self, count, i):
        return self._draw(PRIORS[self.prior], count, [self.latent_dim], random_streams.LATENTS, i)

    def _seen(self, examples, streams, i=0):
        """Examples as D sees them in this step: augmented, and with noise."""
        noise, augmentation = streams

        def uniform(count):
            draws = self._draw(PRIORS["uniform"], tf.shape(examples)[0], [count], augmentation, i)
            return (draws + 1.0) / 2.0

        return self._blur(self.augmentation(examples, draw=uniform), noise, i)

    def _blur(self, examples, stream, i=0):
        """Adds the instance noise of this step."""
        if not self.instance_noise:
            return examples
        gone = tf.cast(self.steps.value, tf.float32) / self.instance_noise_steps
        deviation = self.instance_noise * tf.maximum(0.0, 1.0 - gone)
        noise = self._draw(normal, tf.shape(examples)[0], examples.shape[1:], stream, i)
        return examples + deviation * noise

    def _draw(self, distribution, count, shape, stream, i):
        """Draws this replica's rows of the noise for the i-th update of the step."""
        context = tf.distribute.get_replica_context()
        distribution = COMPILED[distribution] if self.jit_compile else distribution
        noise = distribution(
            (count * context.num_replicas_in_sync, *shape),
            seed=[stream + self.seed, self.steps.value * self.discriminator_steps + i],
        )
        return noise[context.replica_id_in_sync_group * count :][:count]

    def make_train_function(self, force=False):
        """Builds the graph that runs `steps_per_execution` steps on every replica.

        Keras' own reduces the logs of each step over the replicas, which fails with many
        steps per call and with many workers; here the metrics are read once, at the end.
        """
        if self.train_function is not None and not force:
            return

        def run_steps(iterator, steps):
            for _ in tf.range(steps):
                before = average.updates(self)
                self.distribute_strategy.run(self.train_step, args=(next(iterator),))
                average.move(self, before)
            return self.get_metrics_result()

        if self.jit_compile:
            run_steps = compiled_step.loop(self)
        if not self.run_eagerly:
            run_steps = tf.function(run_steps, reduce_retracing=True)
        # A tensor, so that another number of steps does not trace the graph again.
        self.train_function = lambda iterator: run_steps(
            iterator, tf.constant(self.steps_per_execution)
        )

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing: the networks come built. Keras' own adds up a batch over all devices.

        That fails with several devices in each of several workers.
        """

    def get_config(self):
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "prior": self.prior,
            "generator_loss": self.generator_loss,
            "discriminator_steps": self.discriminator_steps,
            "instance_noise": self.instance_noise,
            "instance_noise_steps": self.instance_noise_steps,
            "augment": self.augmentation.kinds,
            "augment_target": self.augmentation.target,
            "ema_decay": self.ema_decay,
            "r1_weight": self.r1_weight,
            "r2_weight": self.r2_weight,
            "penalty_every": self.penalty_every,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        networks = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("generator", "discriminator")
        }
        return cls(**{**config, **networks})

    def get_compile_config(self):
        if not self.compiled:
            return None
        return {
            "generator_optimizer": keras.saving.serialize_keras_object(self.generator_optimizer),
            "discriminator_optimizer": keras.saving.serialize_keras_object(
                self.discriminator_optimizer
            ),
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile,
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
