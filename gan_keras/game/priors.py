"""The distributions p_z that latents are drawn from.

Draws are stateless: the same seed gives the same latents, in any process and any order.
"""

from collections.abc import Sequence

import tensorflow as tf


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


PRIORS = {"normal": normal, "uniform": uniform}
