"""Several workers: one start for all, and one line when one of them is lost."""

import contextlib

import tensorflow as tf

from gan_keras.distribution import cluster as clusters
from gan_keras.distribution import strategy as strategies
from gan_keras.errors import UserError


def check_same_start(strategy, first, workdir):
    """Refuses workers that do not all start from the same step."""
    if strategies.is_alone(strategy):
        return

    @tf.function
    def gather(step):
        return strategy.run(
            lambda: tf.distribute.get_replica_context().all_gather(step[tf.newaxis], axis=0)
        )

    steps = strategy.experimental_local_results(gather(tf.constant(first, tf.int64)))[0]
    if len(set(steps.numpy())) > 1:
        raise UserError(
            f"--workdir={workdir}: the workers' checkpoints are of steps "
            f"{', '.join(map(str, steps.numpy()))}; give all the same folder, on a shared disk"
        )


@contextlib.contextmanager
def reported(strategy, workdir):
    """Makes a UserError of what TensorFlow raises when another worker is gone."""
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
    ) as error:
        if strategies.is_alone(strategy):
            raise
        cluster = clusters.from_environment()
        lost = clusters.silent(cluster)
        if not lost and isinstance(error, tf.errors.InternalError):
            raise
        who = ", ".join(map(cluster.title, lost)) or "the connection to another worker"
        raise UserError(
            f"{who} was lost, and this worker stops; start the same command on all again: "
            f"{workdir} resumes from its last checkpoint"
        ) from None
