"""Where the pixels of a data set are kept: in memory, or in one file of equal rows."""

import os

import numpy as np
import tensorflow as tf

from gan_keras.data import pipeline


class Memory:
    """Images held as one tensor in the memory of the host."""

    in_memory = True

    def __init__(self, pixels):
        """Takes (count, height, width, channels) uint8."""
        # Not a constant of the dataset's graph, which would be copied and may not pass 2 GB;
        # and not on the GPU, where gathering would have to send the images back.
        with tf.device("CPU:0"):
            self._pixels = tf.convert_to_tensor(pixels)
        self.count, self.shape = pixels.shape[0], pixels.shape[1:]

    def dataset(self, numbers):
        """Maps a dataset of (n,) int64 image numbers to their (n, h, w, c) uint8 pixels."""
        return numbers.map(self._gather)

    def read(self, numbers):
        """Returns the images of these numbers as (n, height, width, channels) uint8."""
        return self._gather(numbers).numpy()

    def _gather(self, numbers):
        with tf.device("CPU:0"):
            return tf.gather(self._pixels, numbers)


class File:
    """Images in a file, one row after the other; only what is asked for comes to memory."""

    in_memory = False

    def __init__(self, file, count, shape):
        """Takes over an open binary file that begins with `count` rows of `shape`."""
        self._file, self.count, self.shape = file, count, shape
        self._row_bytes = int(np.prod(shape))

    def dataset(self, numbers):
        """Maps a dataset of (n,) int64 image numbers to their (n, h, w, c) uint8 pixels."""
        return numbers.map(self._gather, num_parallel_calls=pipeline.PARALLEL, deterministic=True)

    def read(self, numbers):
        """Returns the images of these numbers as (n, height, width, channels) uint8."""
        pixels = np.empty((len(numbers), self._row_bytes), np.uint8)
        for row, number in zip(pixels, numbers.tolist(), strict=True):
            # pread has no position that parallel readers could move under each other.
            data = os.pread(self._file.fileno(), self._row_bytes, number * self._row_bytes)
            if len(data) < self._row_bytes:
                raise OSError(f"{self._file.name}: ends before image {number}; delete it")
            row[:] = np.frombuffer(data, np.uint8)
        return pixels.reshape(-1, *self.shape)

    def _gather(self, numbers):
        pixels = tf.numpy_function(self.read, [numbers], tf.uint8, stateful=False)
        return tf.ensure_shape(pixels, [numbers.shape[0], *self.shape])
