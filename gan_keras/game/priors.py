"""The distributions p_z that latents are drawn from.

Draws are stateless: the same seed gives the same latents, in any process and any order, and in a
step that XLA compiles (`COMPILED`) as well. Left to itself XLA draws others: it keeps 32 bits of
each half of a seed, so that streams of random numbers would coincide, and makes numbers of the bits
in its own ways (TensorFlow 2.21).
"""

import math
from collections.abc import Sequence

import tensorflow as tf

# Of `tf.random.stateless_normal` on a CPU, below which no logarithm is taken.
LEAST_UNIFORM = 1e-7


def normal(shape: Sequence[int], seed: Sequence[int]) -> tf.Tensor:
    """N(0, 1).

    Args:
        shape: Shape of the result.
        seed: Two integers, as of `tf.random.stateless_normal`.

    Returns:
        float32 tensor of that shape.
    """
    return tf.random.stateless_normal(shape, seed)


def uniform(shape: Sequence[int], seed: Sequence[int]) -> tf.Tensor:
    """U[-1, 1), as Radford et al. 2015 draw it.

    Args:
        shape: Shape of the result.
        seed: Two integers, as of `tf.random.stateless_uniform`.

    Returns:
        float32 tensor of that shape.
    """
    return tf.random.stateless_uniform(shape, seed, minval=-1.0, maxval=1.0)


def _bits(shape, seed):
    # The algorithm by its name: what XLA takes for the default shortens the seed.
    return tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg="philox")


def _unit(shape, seed):
    """U[0, 1) in steps of 2^-23, of the lower bits of each number, as TensorFlow makes it."""
    return tf.cast(tf.bitwise.bitwise_and(_bits(shape, seed), 2**23 - 1), tf.float32) * 2.0**-23


def _compiled_uniform(shape, seed):
    return _unit(shape, seed) * 2.0 - 1.0


def _compiled_normal(shape, seed):
    """`normal` up to rounding: two numbers of two, by Box and Muller 1958."""
    count = tf.reduce_prod(shape)
    pairs = tf.reshape(_unit((count + count % 2,), seed), (-1, 2))
    radius = tf.sqrt(-2.0 * tf.math.log(tf.maximum(pairs[:, 0], LEAST_UNIFORM)))
    angle = 2.0 * math.pi * pairs[:, 1]
    numbers = tf.stack([radius * tf.sin(angle), radius * tf.cos(angle)], axis=1)
    return tf.reshape(tf.reshape(numbers, (-1,))[:count], shape)


PRIORS = {"normal": normal, "uniform": uniform}
COMPILED = {normal: _compiled_normal, uniform: _compiled_uniform}  # In a step that XLA compiles.
