"""From stored images to the batches of a training run."""

from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from gan_keras.data import order, storage

PREFETCH = 2  # One batch that waits while the next one is made.


@dataclass(frozen=True)
class Images:
    """The images of a data set, all of one size, and the order in which training sees them."""

    name: str
    rows: storage.Memory | storage.File = field(repr=False)
    skipped: list = field(default_factory=list)  # (file, reason) of what could not be read.

    @property
    def count(self):
        """Number of images."""
        return self.rows.count

    @property
    def shape(self):
        """(height, width, channels)."""
        return tuple(self.rows.shape)

    @property
    def in_memory(self):
        """Whether all images are held in memory, rather than read when they are needed."""
        return self.rows.in_memory

    def batches(self, batch_size, seed, start=0, per_step=1):
        """Returns the batches of the training steps from `start` on, without end.

        The images form an endless stream: epoch after epoch, each a new permutation, so that a
        batch may hold the end of one epoch and the start of the next. Step s takes the stream's
        positions from s * per_step * batch_size on. What a step gets depends on nothing but
        (seed, s): a run that starts at step s sees what an uninterrupted one would have seen.

        Args:
            batch_size: Images per batch, over all replicas.
            seed: Integer that decides the order.
            start: The first step.
            per_step: Batches per step.

        Returns:
            A tf.data.Dataset of float32 (batch_size, height, width, channels) in [-1, 1], or of
            tuples of `per_step` of them if that is more than 1.
        """
        images_per_step = per_step * batch_size

        def numbers(step):
            positions = step * images_per_step + tf.range(images_per_step, dtype=tf.int64)
            return order.image_numbers(positions, self.count, seed)

        def normalized(pixels):
            # The shape is static, so that tf.distribute can share a batch between replicas.
            images = tf.reshape(pixels, [per_step, batch_size, *self.shape])
            images = tf.cast(images, tf.float32) / 127.5 - 1.0
            batches = tuple(tf.unstack(images))
            return batches if per_step > 1 else batches[0]

        steps = tf.data.Dataset.counter(start)
        dataset = self.rows.dataset(steps.map(numbers)).map(normalized)
        # A counter does not say that it has no end; tf.distribute, left in doubt, checks at
        # every step whether each replica got something.
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return dataset.apply(endless).prefetch(PREFETCH)

    def first(self, n):
        """Returns n images for a picture of the data, the same in every run.

        They are drawn from all over the data set, whose files are often sorted by class; if n
        is more than `count`, some come again.

        Returns:
            (n, height, width, channels) uint8.
        """
        numbers = order.image_numbers(tf.range(n, dtype=tf.int64), self.count, seed=0)
        return np.asarray(self.rows.read(numbers.numpy()))
