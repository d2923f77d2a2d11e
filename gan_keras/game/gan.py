"""Generative adversarial networks as Keras models."""

from typing import Any

import keras
import tensorflow as tf

from gan_keras.config.random_streams import ANSWER_NOISE, FAKE_NOISE, LATENTS, REAL_NOISE
from gan_keras.game import average, compiled_step, penalties
from gan_keras.game import finite_check as health
from gan_keras.game.losses import GENERATOR_LOSSES, discriminator_loss
from gan_keras.game.priors import COMPILED, PRIORS, normal

METRICS = ("d_loss", "g_loss", "value", "d_real", "d_fake")


@keras.saving.register_keras_serializable(package="gan_keras")
class GAN(keras.Model):
    """The two-player game min_G max_D V(D, G), played by Algorithm 1.

    `gan(latents)` samples: it maps latents (batch, latent_dim) to images. `fit` takes a
    `tf.data.Dataset` of real batches; with `discriminator_steps` k > 1, of tuples of k.

    All noise follows from `seed` and the step: row i of the global batch of a step gets the
    same latent vector however many devices share the batch, and after any restart.

    Metrics, as means over the steps since they were reset: `d_loss` and `g_loss` (nats),
    `value` (V(D, G) = -d_loss), `d_real` and `d_fake` (D(x) and D(G(z)), probabilities).

    Args:
        generator: Model from latents (batch, latent_dim) to images.
        discriminator: Model from images to logits (batch, 1).
        prior: `normal` or `uniform`.
        generator_loss: `non_saturating` or `minimax`.
        discriminator_steps: k, the discriminator's updates per step.
        instance_noise: Standard deviation, at step 0, of Gaussian noise on all that D sees.
            Densities with little in common (V near 0) then overlap, and G learns the way to
            data that it never makes. 0 is Algorithm 1 as it stands.
        instance_noise_steps: Steps in which that noise goes to 0, in a line.
        ema_decay: Decay per step of an exponential moving average of G's weights, which then
            samples in G's place: the players circle around the equilibrium, and the average
            is nearer to it than they are. 0: none.
        r1_weight: Weight of half the squared slope of D at real examples, in D's loss.
        r2_weight: The same at generated examples.
        penalty_every: Steps between two such penalties, each so many times as heavy.
        seed: Integer from which all noise follows.

    Attributes:
        sampler: The generator to sample from: `ema_generator` if there is one, else `generator`.

    References:
        Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661
        Instance noise: Sønderby et al. 2017, https://arxiv.org/abs/1610.04490; Arjovsky and
        Bottou 2017, https://arxiv.org/abs/1701.04862
        Averaging: Yazıcı et al. 2018, https://arxiv.org/abs/1806.04498; Shamir and Zhang 2013,
        https://arxiv.org/abs/1212.1824
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
        self.discriminator_steps = discriminator_steps
        self.instance_noise = instance_noise
        self.instance_noise_steps = instance_noise_steps
        self.ema_decay = ema_decay
        self.ema_generator = _copy(generator) if ema_decay else None
        self.r1_weight = r1_weight
        self.r2_weight = r2_weight
        self.penalty_every = penalty_every
        self.seed = seed
        # Of our own: an optimizer that scales its loss does not count the updates it skips.
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
        """Sets the optimizers, how many steps `fit` runs per call, and whether XLA compiles one.

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
            self._update_discriminator(
                self._blur(real, REAL_NOISE, i),
                self._blur(tf.stop_gradient(fake), FAKE_NOISE, i),
                labels,
            )
        # The last fakes are a draw from p_z that serves both players: D was updated on them,
        # and G now answers to that D. It saves a pass through the generator.
        self._update_generator(fake, labels, generator_tape)
        self.steps.assign_add(1)

    def _rounds(self, data):
        """The real batch and its labels, of which there are none here, for each update of D."""
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
            losses = discriminator_loss(real_logits, fake_logits)
            loss = self.discriminator_optimizer.scale_loss(_share_of_global_mean(losses))
        variables = self.discriminator.trainable_variables
        gradients = self._penalise(tape.gradient(loss, variables), real, fake, labels)
        self._apply(self.discriminator_optimizer, gradients, variables, "d_loss", losses)
        self.trackers["d_loss"].update_state(losses)
        self.trackers["value"].update_state(-losses)
        self.trackers["d_real"].update_state(tf.sigmoid(real_logits))
        self.trackers["d_fake"].update_state(tf.sigmoid(fake_logits))

    def _penalise(self, gradients, real, fake, labels):
        """Adds the penalties' gradients in those steps that have one."""
        weighted = [(self.r1_weight, real), (self.r2_weight, fake)]
        weighted = [(weight, examples) for weight, examples in weighted if weight]

        def penalised():
            with tf.GradientTape() as tape:
                losses = tf.add_n(
                    [
                        weight * penalties.zero_centred(lambda x: self.judge(x, labels, True), each)
                        for weight, each in weighted
                    ]
                )
                loss = _share_of_global_mean(self.penalty_every * losses)
                loss = self.discriminator_optimizer.scale_loss(loss)
            added = tape.gradient(loss, self.discriminator.trainable_variables)
            return [
                gradient if more is None else gradient + more
                for gradient, more in zip(gradients, added, strict=True)
            ]

        if not weighted:
            return gradients
        if self.penalty_every == 1:
            return penalised()
        # A conditional of the graph: steps without a penalty do not pay for it.
        due = self.steps.value % self.penalty_every == 0
        return tf.cond(due, penalised, lambda: gradients)

    def _update_generator(self, fake, labels, generator_tape):
        # The chain rule in two parts, d loss / d fake and d fake / d weights, so that the
        # gradients of D's weights, which nobody needs here, are never computed.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(fake)
            fake_logits = self.judge(self._blur(fake, ANSWER_NOISE), labels, training=True)
            losses = GENERATOR_LOSSES[self.generator_loss](fake_logits)
            loss = self.generator_optimizer.scale_loss(_share_of_global_mean(losses))
        variables = self.generator.trainable_variables
        gradients = generator_tape.gradient(
            fake, variables, output_gradients=tape.gradient(loss, fake)
        )
        averages = self._statistics()
        self._apply(self.generator_optimizer, gradients, variables, "g_loss", losses, averages)
        self.trackers["g_loss"].update_state(losses)

    def _apply(self, optimizer, gradients, variables, name, losses, statistics=()):
        """Updates the weights; if losses or gradients are not finite, nothing goes on."""
        scale = getattr(optimizer, "dynamic_scale", None)
        checked = health.checked(name, self.steps.value, losses, gradients, statistics, scale)
        optimizer.apply(checked, variables)

    def _statistics(self):
        """What the networks count without learning it: batch normalisation's averages."""
        states = self.generator.non_trainable_variables + self.discriminator.non_trainable_variables
        return [each.value for each in states if each.dtype == "float32"]

    def _draw_latents(self, count, i):
        return self._draw(PRIORS[self.prior], count, [self.latent_dim], LATENTS, i)

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


def _copy(generator):
    copy = keras.models.clone_model(generator)
    copy.set_weights(generator.get_weights())
    return copy


def _share_of_global_mean(losses):
    """This replica's share of the mean over the global batch.

    Optimizers add up the replicas' gradients: this is the one place that divides by their
    number.
    """
    return tf.reduce_mean(losses) / tf.distribute.get_strategy().num_replicas_in_sync
