"""What stands around a training run: its folder's lock, signals, full disks, lost workers, NaN."""

import contextlib
import errno
import fcntl
import signal
import sys
import threading

import tensorflow as tf

from gan_keras.distribution import cluster as clusters
from gan_keras.distribution import strategy as strategies
from gan_keras.errors import UserError
from gan_keras.files import why
from gan_keras.game import finite_check as health

_CANNOT_WRITE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
}


def check_same_start(strategy, first, workdir):
    """Refuses workers that do not all go on from the same step."""
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
def lost_workers_told(strategy, workdir):
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
            f"{workdir} goes on from its last checkpoint"
        ) from None


@contextlib.contextmanager
def locked(workdir):
    """Holds the folder against a second run; the lock goes with the process, however it ends."""
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        file = open(workdir / ".lock", "w")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UserError(
            f"--workdir={workdir}: cannot be written: {error.strerror}; name another"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"--workdir={workdir}: another run is at work there; stop it, or name another"
            ) from None
        yield


@contextlib.contextmanager
def told_what_cannot_be_written():
    """Makes a UserError of a full disk and the like; other errors are not the user's."""
    try:
        yield
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        raise UserError(
            f"{error.filename or 'standard output'}: cannot be written: {why(error)}, and the same "
            "command goes on from the newest checkpoint"
        ) from None


@contextlib.contextmanager
def caught_signals():
    """Collects SIGINT and SIGTERM in a list; the second one acts as if nothing caught it."""
    caught = []
    if threading.current_thread() is not threading.main_thread():
        yield caught  # Python delivers signals to the main thread only.
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def release():
        for number, handler in before.items():
            signal.signal(number, handler)

    def catch(number, frame):
        caught.append(number)
        release()

    for number in before:
        signal.signal(number, catch)
    try:
        yield caught
    finally:
        release()


@contextlib.contextmanager
def sickness_told(config, saved):
    """Makes a UserError of what a check of the graph (`health`) has found."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        sickness = health.Sickness.of(error)
        if sickness is None:
            raise
        if sys.stdout.isatty():
            print()  # Ends the line of the progress.
        good = saved.latest_checkpoint
        raise UserError(
            f"step {sickness.step:,}: {sickness.what} is not finite; nothing of this step is kept, "
            + (f"the last good checkpoint is {good}" if good else "there is no checkpoint yet")
            + f"; {remedy(config)}"
        ) from None


def remedy(config):
    """What to try, in another folder, when a run with this configuration does not learn."""
    rates = [f"--learning_rate below {config.learning_rate:g}"]
    if config.discriminator_learning_rate:
        rates.append(f"--discriminator_learning_rate below {config.discriminator_learning_rate:g}")
    if config.mixed_precision != "float32":
        rates.append("--mixed_precision=float32")
    return f"in another --workdir try {' or '.join(rates)}"
