"""From stored images to the batches of a training run."""

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from gan_keras.config import random_streams
from gan_keras.data import order, pipeline, storage
from gan_keras.data.mirror import Mirrored
from gan_keras.data.subset import Part
from gan_keras.errors import UsageError, UserError

CHUNK = 4096  # Images read at a time, where all are.


@dataclass(frozen=True)
class Images:
    """The images of a data set, all of one size, and the order in which training sees them."""

    name: str
    rows: storage.Memory | storage.File | Part = field(repr=False)
    skipped: list = field(default_factory=list)  # (file, reason) of what could not be read.
    read_labels: Callable | None = field(default=None, repr=False)  # As in Source.
    class_names: list = field(default_factory=list, repr=False)  # In the order of labels.
    in_class_order: bool = field(default=False, repr=False)  # Class by class.

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

    def batches(self, batch_size, seed, start=0, per_step=1, labels=False, share=order.WHOLE):
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
            labels: Whether each batch is a pair of images and their labels, int64 (batch_size,).
            share: What is read here of each batch, as of `order.positions`: the rows of one
                worker's replicas, which come one after the other.

        Returns:
            A tf.data.Dataset of float32 (batch_size, height, width, channels) in [-1, 1], or of
            tuples of `per_step` of them if that is more than 1; of a share, of a replica's rows.

        Raises:
            UsageError: labels are wanted, and the data set has no classes.
        """

        _, workers, replicas = share
        rows = batch_size // (workers * replicas)

        def normalized(pixels):
            # The shape is static, so that tf.distribute can share a batch between replicas.
            images = tf.reshape(pixels, [per_step, rows, *self.shape])
            images = tf.cast(images, tf.float32) / 127.5 - 1.0
            return tuple(tf.unstack(images))

        def paired(images, classes):
            classes = tf.unstack(tf.reshape(classes, [per_step, rows]))
            return tuple(zip(images, classes, strict=True))

        which = batch_size, seed, start, per_step, share
        dataset = self.rows.dataset(self._numbers(*which)).map(normalized)
        if labels:
            classes = self.batches_of(self.labels(), *which)
            dataset = tf.data.Dataset.zip(dataset, classes).map(paired)
        if per_step == 1:
            dataset = dataset.map(lambda *batches: batches[0])
        return pipeline.endless(dataset)

    def batches_of(self, values, batch_size, seed, start=0, per_step=1, share=order.WHOLE):
        """Returns what belongs to the images of `batches`, in the same order, without end.

        Args:
            values: One value per image, as the labels: an array of shape (count, ...).
            batch_size, seed, start, per_step, share: As in `batches`.

        Returns:
            A tf.data.Dataset of (per_step * batch_size, ...), or of as many as the share has.
        """
        with tf.device("CPU:0"):
            values = tf.convert_to_tensor(values)

        def gather(numbers):
            with tf.device("CPU:0"):
                return tf.gather(values, numbers)

        return self._numbers(batch_size, seed, start, per_step, share).map(gather)

    def labels(self):
        """Returns the class of each image as (count,) int64, from 0 on.

        Raises:
            UsageError: the data set has no classes.
        """
        if self.read_labels is None:
            raise UsageError(without_classes(self.name))
        return self.read_labels()

    def check_classes(self):
        """Refuses classes of folders that have no image, of which nothing can be learnt.

        Raises:
            UserError: there is one.
        """
        if not self.in_class_order:
            return
        counts = np.bincount(self.labels(), minlength=len(self.class_names))
        for name, count in zip(self.class_names, counts, strict=True):
            if not count:
                raise UserError(
                    f"--dataset={self.name}: in the folder of class {name} is no picture to train "
                    "on; add some that can be read, remove the folder, or hold out fewer"
                )

    def by_class(self, labels, columns):
        """Returns a few images of each class for a picture of the data, the same in every run.

        Args:
            labels: The classes wanted, one after the other.
            columns: Images of each; a class that has fewer has some again.

        Returns:
            (len(labels) * columns, height, width, channels) uint8.
        """
        classes = self.labels()
        everywhere = tf.range(self.count, dtype=tf.int64)
        shuffled = order.image_numbers(everywhere, self.count, random_streams.PICTURE).numpy()
        chosen = [np.resize(shuffled[classes[shuffled] == label], columns) for label in labels]
        return np.asarray(self.rows.read(np.concatenate(chosen)))

    def only(self, numbers):
        """Returns the images of these numbers, (n,) int64, as a data set of their own."""
        labels = self.read_labels and (lambda: self.read_labels()[numbers])
        return dataclasses.replace(self, rows=Part(self.rows, numbers), read_labels=labels)

    def split(self, held_out):
        """Returns what is left of these images, and `held_out` of them, both in their order."""
        rest = self.held_out_numbers(held_out)
        return self.only(np.setdiff1d(np.arange(self.count), rest)), self.only(rest)

    def held_out_numbers(self, held_out):
        """Returns the numbers of the images that `split` holds out, (held_out,) int64.

        They are the last ones. Where the images lie class by class those would be of the last
        class: then it is as many from all over.
        """
        numbers = np.arange(self.count)
        if self.in_class_order:
            return (2 * numbers[:held_out] + 1) * self.count // (2 * held_out)
        return numbers[self.count - held_out :]

    def mirrored(self):
        """Returns these images and, with numbers from `count` on, their mirror images."""
        labels = self.read_labels and (lambda: np.tile(self.read_labels(), 2))
        return dataclasses.replace(self, rows=Mirrored(self.rows), read_labels=labels)

    def describe(self):
        """Returns what the data are, in a line."""
        height, width, channels = self.shape
        where = "in memory" if self.in_memory else "streamed from disk"
        return f"{self.name}, {self.count:,} images {height}x{width}x{channels}, {where}"

    def sha256(self):
        """Returns the digest of all pixels, hexadecimal: that of other images is another."""
        digest = hashlib.sha256()
        for numbers in self._chunks():
            digest.update(np.ascontiguousarray(self.rows.read(numbers)))
        return digest.hexdigest()

    def mean(self):
        """Returns the mean of all images as float64 (height, width, channels) in [-1, 1]."""
        total = np.zeros(self.shape)
        for numbers in self._chunks():
            total += np.sum(self.rows.read(numbers), axis=0, dtype=np.float64)
        return total / self.count / 127.5 - 1.0

    def _chunks(self):
        """The numbers of all images, some at a time."""
        for first in range(0, self.count, CHUNK):
            yield np.arange(first, min(first + CHUNK, self.count))

    def sample(self, n, seed):
        """Returns n different images that the seed chooses, or all if there are no more.

        Returns:
            (min(n, count), height, width, channels) uint8, in an order that the seed decides:
            the same seed and a smaller n give the first of them.
        """
        return self.rows.read(self.chosen(n, seed))

    def chosen(self, n, seed):
        """Returns the numbers of the images of `sample`, (min(n, count),) int64."""
        positions = tf.range(min(n, self.count), dtype=tf.int64)
        return order.image_numbers(positions, self.count, random_streams.CHOICE + seed).numpy()

    def first(self, n):
        """Returns n images for a picture of the data, the same in every run.

        They are drawn from all over the data set, whose files are often sorted by class; if n
        is more than `count`, some come again.

        Returns:
            (n, height, width, channels) uint8.
        """
        positions = tf.range(n, dtype=tf.int64)
        numbers = order.image_numbers(positions, self.count, random_streams.PICTURE)
        return np.asarray(self.rows.read(numbers.numpy()))

    def _numbers(self, batch_size, seed, start, per_step, share):
        """A dataset of the image numbers of each step from `start` on, (n,) int64."""

        def numbers(element):
            positions = order.positions(element, batch_size, per_step, share)
            return order.image_numbers(positions, self.count, seed)

        return tf.data.Dataset.counter(start * share[2]).map(numbers)


def without_classes(name):
    """What to tell a user who wants the classes of a data set that has none."""
    return (
        f"--dataset={name}: has no classes; choose digits, a TFDS data set whose images have a "
        "`label`, or a folder whose pictures are all in sub-folders"
    )
