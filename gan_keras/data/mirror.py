"""The images of a storage and their mirror images, as a storage of its own."""

import numpy as np
import tensorflow as tf


class Mirrored:
    """Twice as many images: number n + count is image n, left and right exchanged."""

    def __init__(self, rows):
        self._rows = rows
        self.count, self.shape = 2 * rows.count, rows.shape
        self.in_memory = rows.in_memory

    def dataset(self, numbers):
        """Maps a dataset of (n,) int64 image numbers to their (n, h, w, c) uint8 pixels."""
        count = self._rows.count
        pixels = self._rows.dataset(numbers.map(lambda each: each % count))
        mirrored = numbers.map(lambda each: each >= count)
        return tf.data.Dataset.zip(pixels, mirrored).map(_mirror)

    def read(self, numbers):
        """Returns the images of these numbers as (n, height, width, channels) uint8."""
        numbers = np.asarray(numbers)
        pixels = self._rows.read(numbers % self._rows.count)
        mirrored = (numbers >= self._rows.count)[:, None, None, None]
        return np.where(mirrored, pixels[:, :, ::-1], pixels)


def _mirror(pixels, mirrored):
    return tf.where(mirrored[:, None, None, None], tf.reverse(pixels, [2]), pixels)
