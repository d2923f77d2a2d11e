"""Penalties on the slope of D, which let the players come to rest.

References:
    Mescheder et al. 2018, https://arxiv.org/abs/1801.04406
    In every n-th step, n times as much: Karras et al. 2020, https://arxiv.org/abs/1912.04958
"""

from collections.abc import Callable

import tensorflow as tf


def zero_centred(judge: Callable[[tf.Tensor], tf.Tensor], examples: tf.Tensor) -> tf.Tensor:
    """|d D(x) / dx|^2 / 2 of each example: R1 on real examples, R2 on generated ones.

    D here is the logit. It must depend on each example alone, so that one gradient of the sum
    holds the slope at every example.

    Args:
        judge: Function from examples to logits (batch, 1).
        examples: float32 or float64 (batch, ...).

    Returns:
        (batch,) of the same dtype, to be weighted and differentiated by D's weights.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(examples)
        logits = judge(examples)
    slopes = tape.gradient(logits, examples)
    return 0.5 * tf.reduce_sum(tf.square(slopes), axis=range(1, slopes.shape.rank))
