"""The exponential moving average of the generator's weights, from which a GAN samples.

References:
    Yazıcı et al. 2018, https://arxiv.org/abs/1806.04498
    Shamir and Zhang 2013, https://arxiv.org/abs/1212.1824
"""

import tensorflow as tf


def updates(gan):
    """Returns how often the generator's weights were updated, an integer tensor.

    Not the number of steps: an optimizer that scales its loss leaves out updates that overflow.
    """
    optimizer = gan.generator_optimizer
    return tf.convert_to_tensor(getattr(optimizer, "inner_optimizer", optimizer).iterations)


def move(gan, before):
    """Lets the average, if a GAN has one, follow the generator, unless the step left that out.

    At first it goes over the last quarter of all steps (Shamir and Zhang 2013), until its own
    memory is shorter than that.

    Args:
        gan: A GAN, after its step.
        before: `updates` before that step.
    """
    if not gan.ema_generator:
        return
    steps = tf.cast(gan.steps.value, tf.float32)
    rate = tf.maximum(1.0 - gan.ema_decay, 4.0 / (steps + 3.0))
    rate = tf.where(updates(gan) > before, rate, 0.0)
    for mean, weight in zip(gan.ema_generator.weights, gan.generator.weights, strict=True):
        mean.assign_sub(rate * (mean - weight))
