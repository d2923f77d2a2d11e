"""The average of G's weights over the steps, which samples in G's place.

The players circle around the equilibrium, and the average is nearer to it than they are.

References:
    Yazıcı et al. 2018, https://arxiv.org/abs/1806.04498; Shamir and Zhang 2013,
    https://arxiv.org/abs/1212.1824
"""

import keras
import tensorflow as tf


def copy_of(generator):
    """Returns a copy that has the same weights at first."""
    copy = keras.models.clone_model(generator)
    copy.set_weights(generator.get_weights())
    return copy


def decay_of(half_life: float, batch_size: int) -> float:
    """Returns the decay per step by which weights count half after so many images; of 0: 0.

    Args:
        half_life: Images, >= 0.
        batch_size: Images per step.
    """
    return 0.5 ** (batch_size / half_life) if half_life else 0.0


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
