"""The game with labels: both players see the class.

Reference: Mirza and Osindero 2014, https://arxiv.org/abs/1411.1784
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from gan_keras.config.random_streams import LABELS
from gan_keras.game.gan import GAN


@keras.saving.register_keras_serializable(package="gan_keras")
class ConditionalGAN(GAN):
    """A GAN of whose examples each has a label: min_G max_D of V(D, G) given the class.

    `gan([latents, labels])` samples. `fit` takes a `tf.data.Dataset` of pairs (examples, labels),
    int64 (batch,); with `discriminator_steps` k > 1, of tuples of k pairs. Generated examples
    have the labels of the step's real ones, and so the data's frequencies of the classes.

    Args:
        generator: Model from [latents, labels] to images.
        discriminator: Model from [images, labels] to logits (batch, 1).
        **kwargs: As of GAN.
    """

    def _rounds(self, data):
        return data if self.discriminator_steps > 1 else (data,)

    def generate(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """The examples that G, not its average, makes of latents and labels."""
        return self.generator([latents, labels], training=training)

    def judge(
        self, examples: tf.Tensor, labels: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """The logits of D for examples and the labels that they claim."""
        return self.discriminator([examples, labels], training=training)


def draw_labels(count: int, frequencies: np.ndarray, seed: Sequence[int]) -> tf.Tensor:
    """Draws classes, each as often as it is frequent.

    Args:
        count: How many.
        frequencies: As of `class_at`.
        seed: Two integers; latents of the same two are of another stream.

    Returns:
        int64 (count,) in [0, classes).
    """
    stream = [LABELS + seed[0], seed[1]]
    return class_at(tf.random.stateless_uniform((count,), stream), frequencies)


def class_at(chance: tf.Tensor, frequencies: np.ndarray) -> tf.Tensor:
    """The classes at numbers that are drawn from [0, 1), where each takes its frequency of room.

    Args:
        chance: float32 of any shape, in [0, 1).
        frequencies: float32 (classes,), not negative, of sum 1.

    Returns:
        int64 of the shape of `chance`, in [0, classes).
    """
    ends = np.cumsum(frequencies[:-1], dtype=np.float64).astype(np.float32)
    return tf.reduce_sum(tf.cast(chance[..., tf.newaxis] >= ends, tf.int64), axis=-1)
