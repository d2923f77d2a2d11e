"""Some of the images of a storage, as a storage of their own."""

import tensorflow as tf


class Part:
    """The images of the given numbers, which are counted anew from 0; nothing is copied."""

    def __init__(self, rows, numbers):
        """Takes a storage and (count,) int64 numbers of its images."""
        self._rows, self._numbers = rows, numbers
        self.count, self.shape = len(numbers), rows.shape
        self.in_memory = rows.in_memory
        # Not a constant of the dataset's graph, which would be copied with it.
        with tf.device("CPU:0"):
            self._tensor = tf.constant(numbers, tf.int64)

    def dataset(self, numbers):
        """Maps a dataset of (n,) int64 image numbers to their (n, h, w, c) uint8 pixels."""
        return self._rows.dataset(numbers.map(self._gather))

    def read(self, numbers):
        """Returns the images of these numbers as (n, height, width, channels) uint8."""
        return self._rows.read(self._numbers[numbers])

    def _gather(self, numbers):
        with tf.device("CPU:0"):
            return tf.gather(self._tensor, numbers)
