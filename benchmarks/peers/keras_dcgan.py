"""A DCGAN as users of Keras write it: layers with their defaults, one `train_step` under `fit`.

Reference: https://keras.io/guides/custom_train_step_in_tensorflow/
"""

import keras
import tensorflow as tf
from keras import layers, ops

from benchmarks import fitting, workload


def networks():
    """Returns the generator and the discriminator, whose output is a logit."""
    generator = keras.Sequential(
        [
            keras.Input((workload.LATENT_DIM,)),
            layers.Dense(7 * 7 * 128, use_bias=False),
            layers.Reshape((7, 7, 128)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(64, 4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same"),
            layers.Activation("tanh", dtype="float32"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input(workload.SHAPE),
            layers.Conv2D(64, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=workload.LEAK),
            layers.Conv2D(128, 4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=workload.LEAK),
            layers.Flatten(),
            layers.Dense(1, dtype="float32"),
        ]
    )
    return generator, discriminator


def adam():
    return keras.optimizers.Adam(workload.LEARNING_RATE, workload.BETA_1)


class Guide(fitting.Players, keras.Model):
    """The contestant, in the shape of the guide.

    D sees real and generated images in one batch; G runs twice, once to train D and once to be
    trained. Batch normalisation makes `training=True` necessary, which the guide, without it,
    omits. `dtype` is Keras' policy, as `mixed_bfloat16`.
    """

    def __init__(self, images, dtype="float32"):
        super().__init__()
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(dtype)
        self.generator, self.discriminator = networks()
        keras.config.set_dtype_policy(before)
        self.losses_seen = [keras.metrics.Mean(name=name) for name in ("d_loss", "g_loss")]
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.draws = keras.random.SeedGenerator()
        self.compile()
        self.d_optimizer, self.g_optimizer = adam(), adam()
        # The guide's buffer; one epoch without end: what `fit` does between epochs is not measured.
        dataset = tf.data.Dataset.from_tensor_slices(images).shuffle(1024).repeat()
        self.dataset = dataset.batch(workload.BATCH_SIZE).prefetch(tf.data.AUTOTUNE)
        self.built = True

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

    def run(self, clock):
        fitting.fit(self, self.dataset, clock)
