"""Seeds of initial weights, apart from all other random numbers."""

import keras
import tensorflow as tf

from gan_keras.config.random_streams import SEEDS


@keras.saving.register_keras_serializable(package="gan_keras")
class WeightSeeds(keras.random.SeedGenerator):
    """Pairs (seed, stream), (seed, stream - 1), ...: one for each tensor of a network.

    Keras' own start at (seed, 0), which are the pairs of the latents of training.

    Args:
        seed: Integer from which the weights follow, 0 to 2^31 - 1.
        stream: A number of `config.random_streams`: the network's.
        name: Of the generator.

    Raises:
        ValueError: the seed is out of range.
    """

    def __init__(self, seed: int, stream: int, name: str | None = None) -> None:
        if seed not in SEEDS:
            raise ValueError(f"seed must be from 0 to {SEEDS[-1]}, not {seed}")
        super().__init__(seed, name)
        self.stream = stream

    def next(self, ordered=True):
        """The next seed, int32 (2,): as Keras asks for one."""
        seed, count = tf.unstack(super().next())
        # Keras takes int32 as it is; of int64 it takes a remainder, which is never negative.
        return tf.cast(tf.stack([seed, self.stream - count]), tf.int32)

    def get_config(self):
        return {**super().get_config(), "stream": self.stream}
