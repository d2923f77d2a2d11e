"""The training step as one program of XLA.

XLA drops the operator by which a check ends a call. So the program always runs to its end; its
checks are results like others, and where one of them failed every variable has the value that it
had before the step. Nothing in the program waits for a check: on a GPU a branch would have to ask
the host first, and a choice between two values does not.
"""

import tensorflow as tf

from gan_keras.game import average
from gan_keras.game import finite_check as health


def loop(gan):
    """Returns the function from an iterator and a number of steps that `GAN` makes a graph of.

    It runs the steps, ends the call at the first that is not finite, and returns the metrics. The
    average of the generator's weights is part of the compiled step.

    Args:
        gan: A compiled GAN, in a strategy for one device.

    Raises:
        ValueError: the strategy is for replicas.
    """
    strategy = gan.distribute_strategy
    if is_for_replicas(strategy):
        raise ValueError("jit_compile=True: needs a strategy for one device")
    names = []  # Of the checks, known once the step is traced.

    @tf.function(jit_compile=True, reduce_retracing=True)
    def step(batch):
        changed = variables(gan)
        before = [tf.convert_to_tensor(each) for each in changed]
        first = tf.convert_to_tensor(gan.steps)
        updates = average.updates(gan)
        with health.collected() as found:
            gan.train_step(batch)
        average.move(gan, updates)
        names[:] = [name for name, _ in found]
        finite = tf.stack([finite for _, finite in found])
        is_sound = tf.reduce_all(finite)
        for variable, old in zip(changed, before, strict=True):
            variable.assign(tf.where(is_sound, variable, old))
        return first, finite

    def checked_step(batch):
        first, finite = strategy.run(step, args=(batch,))
        with tf.device("CPU:0"):  # At once: the host would ask a GPU for each check.
            first, finite = tf.identity_n([first, finite])
        passed = []
        # One after the other: what is not finite in D is not finite in G either.
        for i, name in enumerate(names):
            with tf.control_dependencies(passed):
                passed = health.stop_unless(finite[i], name, first)
        with tf.control_dependencies(passed):
            return tf.identity(first)

    def run_steps(iterator, steps):
        done = tf.constant(0, tf.int64)
        for _ in tf.range(steps):
            # Nothing of the next step before the checks of this one.
            with tf.control_dependencies([done]):
                batch = next(iterator)
            done = checked_step(batch)
        return gan.get_metrics_result()

    return run_steps


def is_for_replicas(strategy):
    """Whether gradients are added up within a step, which XLA cannot do.

    A strategy for replicas does so where it has only one, too.
    """
    for_replicas = (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy)
    return strategy.num_replicas_in_sync > 1 or isinstance(strategy, for_replicas)


def variables(gan):
    """All that a step may change: weights, optimizers, metrics, the step; each once.

    Args:
        gan: A compiled GAN.

    Returns:
        List of keras.Variable.
    """
    optimizers = gan.generator_optimizer, gan.discriminator_optimizer
    owners = [gan, *gan.metrics, *optimizers]
    found = [variable for owner in owners for variable in owner.variables]
    return list({id(variable): variable for variable in found}.values())
