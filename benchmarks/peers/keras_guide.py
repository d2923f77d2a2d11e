"""A GAN in the shape of Keras' guide to custom training steps: one `train_step` under `fit`.

D sees real and generated images in one batch; G runs twice, once to train D and once to be
trained. Batch normalisation makes `training=True` necessary, which the guide, without it, omits.

Reference: https://keras.io/guides/custom_train_step_in_tensorflow/
"""

import keras
import tensorflow as tf
from keras import ops

from benchmarks import fitting, workload
from benchmarks.peers import keras_networks


class Players(keras.Model):
    """Two networks under one `train_step`."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.losses_seen = [keras.metrics.Mean(name=name) for name in ("d_loss", "g_loss")]
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.draws = keras.random.SeedGenerator(0)
        self.built = True

    def compile(self):
        super().compile()
        self.d_optimizer = keras_networks.adam()
        self.g_optimizer = keras_networks.adam()

    @property
    def metrics(self):
        return self.losses_seen

    def train_step(self, real):
        count = ops.shape(real)[0]
        ones, zeros = ops.ones((count, 1)), ops.zeros((count, 1))

        fake = self.generator(self._latents(count), training=True)
        both = ops.concatenate([real, fake], axis=0)
        with tf.GradientTape() as tape:
            logits = self.discriminator(both, training=True)
            d_loss = self.cross_entropy(ops.concatenate([ones, zeros], axis=0), logits)
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)

        latents = self._latents(count)
        with tf.GradientTape() as tape:
            fake = self.generator(latents, training=True)
            g_loss = self.cross_entropy(ones, self.discriminator(fake, training=True))
        weights = self.generator.trainable_weights
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)

        for seen, loss in zip(self.losses_seen, (d_loss, g_loss), strict=True):
            seen.update_state(loss)
        return {seen.name: seen.result() for seen in self.losses_seen}

    def _latents(self, count):
        return keras.random.normal((count, workload.LATENT_DIM), seed=self.draws)


class Guide(fitting.Players):
    """The contestant; `dtype` is Keras' policy, as `mixed_bfloat16`."""

    def __init__(self, network, images, dtype="float32"):
        with keras_networks.policy(dtype):
            self.generator, self.discriminator = keras_networks.NETWORKS[network]()
            self.players = Players(self.generator, self.discriminator)
            self.players.compile()
        # The guide's buffer; one epoch without end: what `fit` does between epochs is not measured.
        dataset = tf.data.Dataset.from_tensor_slices(images).shuffle(1024).repeat()
        self.dataset = dataset.batch(workload.BATCH_SIZE).prefetch(tf.data.AUTOTUNE)

    def run(self, clock):
        fitting.fit(self.players, self.dataset, clock)


build = Guide
