"""A GAN in the shape of TensorFlow's DCGAN tutorial: a loop over batches, a step as a graph.

G runs once, D once on each half, and both are updated at the same time, by two tapes: G answers to
the old D, which saves a pass through D.

Reference: https://www.tensorflow.org/tutorials/generative/dcgan
"""

import keras
import tensorflow as tf

from benchmarks import fitting, workload
from benchmarks.peers import keras_networks


class Tutorial(fitting.Players):
    """The contestant."""

    def __init__(self, network, images):
        self.generator, self.discriminator = keras_networks.NETWORKS[network]()
        self.generator_optimizer = keras_networks.adam()
        self.discriminator_optimizer = keras_networks.adam()
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        dataset = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images)).repeat()
        self.dataset = dataset.batch(workload.BATCH_SIZE)

    @tf.function
    def train_step(self, images):
        noise = tf.random.normal([workload.BATCH_SIZE, workload.LATENT_DIM])
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            generated = self.generator(noise, training=True)
            real_output = self.discriminator(images, training=True)
            fake_output = self.discriminator(generated, training=True)
            g_loss = self.cross_entropy(tf.ones_like(fake_output), fake_output)
            d_loss = self.cross_entropy(tf.ones_like(real_output), real_output)
            d_loss += self.cross_entropy(tf.zeros_like(fake_output), fake_output)
        g_gradients = g_tape.gradient(g_loss, self.generator.trainable_variables)
        d_gradients = d_tape.gradient(d_loss, self.discriminator.trainable_variables)
        self.generator_optimizer.apply_gradients(
            zip(g_gradients, self.generator.trainable_variables, strict=True)
        )
        self.discriminator_optimizer.apply_gradients(
            zip(d_gradients, self.discriminator.trainable_variables, strict=True)
        )

    def run(self, clock):
        for images in self.dataset:
            self.train_step(images)
            if not clock.tick():
                return


build = Tutorial
