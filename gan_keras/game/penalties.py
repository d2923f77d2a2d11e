"""Penalties on the slope of D, which let the players come to rest.

References:
    Mescheder et al. 2018, https://arxiv.org/abs/1801.04406
    In every n-th step, n times as much: Karras et al. 2020, https://arxiv.org/abs/1912.04958
"""

from collections.abc import Callable

import tensorflow as tf
from keras import layers

from gan_keras.game.losses import share_of_global_mean


def refuse_batch_statistics(discriminator):
    """Refuses a D that a penalty means nothing for: one that sees examples beside each other.

    Raises:
        ValueError: it has a batch normalisation, whose layer the message names.
    """
    for layer in discriminator._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            raise ValueError(
                f"a penalty needs a discriminator that sees each example alone, and {layer.name} "
                "normalises by the batch; leave it out, or set r1_weight=0 and r2_weight=0"
            )


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


def add(gan, gradients, real, fake, labels):
    """Adds the penalties' gradients to those of D's loss, in the steps that have a penalty.

    Args:
        gan: A GAN, with `r1_weight`, `r2_weight` and `penalty_every`.
        gradients: Of D's loss by its weights, scaled as D's optimizer has it.
        real, fake: What D sees in this step.
        labels: Their labels, or None.

    Returns:
        Gradients, as given.
    """
    weighted = [(gan.r1_weight, real), (gan.r2_weight, fake)]
    weighted = [(weight, examples) for weight, examples in weighted if weight]

    def penalised():
        with tf.GradientTape() as tape:
            losses = tf.add_n(
                [
                    weight * zero_centred(lambda x: gan.judge(x, labels, True), each)
                    for weight, each in weighted
                ]
            )
            loss = share_of_global_mean(gan.penalty_every * losses)
            loss = gan.discriminator_optimizer.scale_loss(loss)
        added = tape.gradient(loss, gan.discriminator.trainable_variables)
        return [
            gradient if more is None else gradient + more
            for gradient, more in zip(gradients, added, strict=True)
        ]

    if not weighted:
        return gradients
    if gan.penalty_every == 1:
        return penalised()
    # A conditional of the graph: steps without a penalty do not pay for it.
    due = gan.steps.value % gan.penalty_every == 0
    return tf.cond(due, penalised, lambda: gradients)
