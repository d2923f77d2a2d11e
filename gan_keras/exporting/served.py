"""The generator as its servers see it: a module of signatures, from seeds to pictures."""

import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from gan_keras.config.random_streams import SERVED, SERVED_CLASS
from gan_keras.exporting import contract
from gan_keras.game import PRIORS, class_at
from gan_keras.networks import frequencies_of


class Served(tf.Module):
    """A generator with the signatures of `contract`.

    TF Serving joins the rows of different callers, so all inputs and outputs have the batch
    as first dimension, and a picture depends on its own row only.

    Args:
        generator: Functional model from latents (batch, latent_dim) to images in [-1, 1]; or,
            conditional, from latents and label int64 (batch,).
        prior: A key of `PRIORS`, the distribution of the latents.
        temperature: What latents are multiplied by that are drawn from seeds.
        classes: Names of the classes of a conditional generator; empty of any other.

    Raises:
        ValueError: there are classes and no label among the inputs, or the other way round.
    """

    def __init__(
        self,
        generator: keras.Model,
        prior: str,
        temperature: float = 1.0,
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if len(generator.inputs) != (2 if classes else 1):
            raise ValueError(
                f"a generator with {len(generator.inputs)} inputs and {len(classes)} classes"
            )
        # Keras' variables are wrappers: tracked as they are, the file would restore copies of
        # them, and a server would find the graph's own uninitialised. So the module tracks
        # TensorFlow's variables, and the model hides in a function.
        self._variables = [variable.value for variable in generator.variables]
        self._images = functools.partial(generator, training=False)
        self._prior = PRIORS[prior]
        self._temperature = temperature
        self._latent_dim = generator.inputs[0].shape[-1]
        self._classes, self._names = len(classes), list(classes)
        self._frequencies = _frequencies(generator, len(classes))

    def signatures(self) -> dict[str, Callable[..., dict[str, tf.Tensor]]]:
        """Returns the signatures by their names, as `tf.saved_model.save` takes them."""
        latents = tf.TensorSpec((None, self._latent_dim), tf.float32, contract.LATENTS)
        seed = tf.TensorSpec((None,), tf.int64, contract.SEED)
        label = tf.TensorSpec((None,), tf.int64, contract.LABEL)
        made = {
            contract.SEED_LATENTS_SIGNATURE: tf.function(self.latents, [seed]),
            contract.SAMPLE_SIGNATURE: tf.function(self.sample, [seed]),
            contract.PNG_SIGNATURE: tf.function(self.png, [seed]),
        }
        if not self._classes:
            return made | {contract.LATENTS_SIGNATURE: tf.function(self.generate, [latents])}
        return made | {
            contract.LATENTS_SIGNATURE: tf.function(self.generate, [latents, label]),
            contract.SAMPLE_LABEL_SIGNATURE: tf.function(self.sample, [seed, label]),
            contract.PNG_LABEL_SIGNATURE: tf.function(self.png, [seed, label]),
            contract.CLASSES_SIGNATURE: tf.function(self.classes, [label]),
        }

    def generate(self, latents: tf.Tensor, label: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Maps latents float32 (batch, latent_dim) to images float32 in [-1, 1]."""
        # A server passes any shape to the graph: this says what was wrong with it.
        check = tf.debugging.Assert(
            tf.equal(tf.shape(latents)[-1], self._latent_dim),
            [f"latents must have shape (batch, {self._latent_dim}), not", tf.shape(latents)],
        )
        with tf.control_dependencies([check]):
            latents = tf.identity(latents)
        if label is not None:
            label = self._checked(label, latents, contract.LATENTS)
        return {contract.IMAGES: self._draw(latents, label)}

    def latents(self, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Maps seeds int64 (batch,) to the latents float32 that `sample` makes pictures of."""
        spec = tf.TensorSpec([self._latent_dim], tf.float32)
        return {contract.LATENTS: self._temperature * _each(self._latents_of, seed, spec)}

    def sample(self, seed: tf.Tensor, label: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Maps seeds int64 (batch,) to images uint8: the same seed, the same picture.

        Without labels, a conditional generator's classes are drawn from the seeds, as often as
        they are in the data.
        """
        if label is not None:
            label = self._checked(label, seed, contract.SEED)
        elif self._classes:
            label = _each(self._class_of, seed, tf.TensorSpec([], tf.int64))
        pixels = self._draw(self.latents(seed)[contract.LATENTS], label)
        pixels = tf.round((pixels - contract.PIXEL_MIN) * 127.5)
        return {contract.IMAGES: tf.saturate_cast(pixels, tf.uint8)}

    def png(self, seed: tf.Tensor, label: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Maps seeds int64 (batch,) to PNG files, one string per row."""
        pictures = self.sample(seed, label)[contract.IMAGES]
        return {contract.PNG_BYTES: _each(tf.io.encode_png, pictures, tf.TensorSpec([], tf.string))}

    def classes(self, label: tf.Tensor) -> dict[str, tf.Tensor]:
        """Maps numbers of classes int64 (batch,) to their names; of no class it is empty.

        So a client finds all names through a server that knows signatures only.
        """
        known = (label >= 0) & (label < self._classes)
        names = tf.gather(tf.constant(list(self._names)), tf.where(known, label, 0))
        return {contract.NAME_BYTES: tf.where(known, names, "")}

    def _draw(self, latents, label):
        # TensorFlow multiplies a lone row by a way of its own, which rounds otherwise. Beside
        # another one it gets the bytes that it has in any batch.
        rows = tf.shape(latents)[0]
        missing = tf.maximum(2 - rows, 0)
        latents = tf.concat([latents, tf.zeros([missing, self._latent_dim])], axis=0)
        if label is None:
            return self._images(latents)[:rows]
        label = tf.concat([label, tf.zeros([missing], tf.int64)], axis=0)
        return self._images([latents, label])[:rows]

    def _latents_of(self, seed):
        return self._prior([self._latent_dim], seed=tf.stack([seed, SERVED]))

    def _class_of(self, seed):
        chance = tf.random.stateless_uniform([], tf.stack([seed, SERVED_CLASS]))
        return class_at(chance, self._frequencies)

    def _checked(self, label, rows, name):
        """Returns the labels; the graph fails with INVALID_ARGUMENT unless each is a class."""
        strange = (label < 0) | (label >= self._classes)
        checks = [
            tf.debugging.Assert(
                ~tf.reduce_any(strange),
                [
                    f"label must be from 0 to {self._classes - 1}, not",
                    tf.boolean_mask(label, strange),
                ],
            ),
            tf.debugging.Assert(
                tf.equal(tf.size(label), tf.shape(rows)[0]),
                [f"label must have as many rows as {name}, not", tf.shape(label)],
            ),
        ]
        with tf.control_dependencies(checks):
            return tf.identity(label)


def _frequencies(generator, classes):
    """How often each class is drawn, as numbers, which become a constant of the graph."""
    known = frequencies_of(generator)
    return np.full(classes, 1 / max(1, classes)) if known is None else known


def _each(function, rows, spec):
    """Maps a function over the rows, one at a time: none can depend on another.

    On a CPU, also where there is a GPU, which would take a millisecond for each row.
    """
    with tf.device("CPU:0"):
        return tf.map_fn(function, rows, fn_output_signature=spec)
