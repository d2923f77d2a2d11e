"""From a Config to a trained run in a folder: `workdir/{checkpoints, logs, samples}`."""

import contextlib
import fcntl
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from gan_keras import callbacks, cards, checkpoints, data, evaluation, networks, optimizers
from gan_keras import cluster as clusters
from gan_keras import config as configs
from gan_keras import strategy as strategies
from gan_keras.errors import UserError
from gan_keras.gan import GAN
from gan_keras.images import grid


@dataclass(frozen=True)
class Outcome:
    """How a call of `train` ended."""

    first_step: int  # The step it started from.
    last_step: int
    stopped: bool  # Whether a signal ended it before `config.steps`.


def build(config):
    """Builds and compiles the GAN of a configuration, in the current strategy's scope.

    Raises:
        UsageError: the network cannot make examples of that shape.
    """
    generator, discriminator = networks.build(
        config.network,
        shape=config.shape,
        latent_dim=config.latent_dim,
        width=config.width,
        seed=config.seed,
        precision=config.mixed_precision,
    )
    gan = GAN(
        generator,
        discriminator,
        prior=config.prior,
        generator_loss=config.generator_loss,
        discriminator_steps=config.discriminator_steps,
        instance_noise=config.instance_noise,
        instance_noise_steps=config.instance_noise_steps,
        ema_decay=config.ema_decay,
        seed=config.seed,
    )
    rate = config.learning_rate
    gan.compile(
        _optimizer(config, rate),
        _optimizer(config, config.discriminator_learning_rate or rate),
    )
    return gan


def _optimizer(config, learning_rate):
    return optimizers.build(
        config.optimizer,
        learning_rate=learning_rate,
        learning_rate_decay=config.learning_rate_decay,
        beta_1=config.beta_1,
        momentum=config.momentum,
        final_momentum=config.final_momentum,
        ramp=config.momentum_steps,
        scale_loss=config.mixed_precision == "float16",
    )


def train(config, workdir, say=print):
    """Trains up to `config.steps` in `workdir`, from where an earlier run there stopped.

    Args:
        config: A Config; `workdir`, if it holds a run, must hold one of the same.
        workdir: Folder of the run; made if missing.
        say: Called with lines for a person to read.

    Returns:
        An Outcome.

    Raises:
        UserError: the data cannot be had, or another run is at work in the folder.
        UsageError: the configuration cannot be trained, or is not that of the folder.
    """
    workdir = Path(workdir)
    if (workdir / configs.CONFIG_FILE).exists():
        configs.check_resumable(configs.load(workdir), config, workdir)
    strategy = _strategy(config, say)
    with _lost_workers_told(strategy, workdir):
        return _train(config, workdir, strategy, say)


def _train(config, workdir, strategy, say):
    with strategy.scope():
        gan = build(config)
    images = data.load(config, cache_dir=workdir / "data")
    chief = strategies.is_chief(strategy)

    with _locked(workdir) if chief else contextlib.nullcontext(), _caught_signals() as caught:
        saved = checkpoints.manager(gan, workdir, config.keep_checkpoints)
        checkpoints.restore_latest(saved)
        first = gan.step
        _check_same_start(strategy, first, workdir)
        if first == 0 and config.network == "maxout":
            networks.maxout.start_from(gan.generator, images.mean())
        if first >= config.steps:
            return Outcome(first, first, stopped=False)
        if chief:
            configs.save(config, workdir)
        say(_opening(config, images, strategy, workdir, first))

        intervals = [config.log_every, config.sample_every, config.checkpoint_every]
        if config.evaluate_every:
            intervals.append(config.evaluate_every)
        alone = strategies.is_alone(strategy)
        beside = [callbacks.Pace(config.steps, intervals, lambda: bool(caught), adaptive=alone)]
        if chief:
            # One writer a folder: TensorBoard follows only the newest file of each.
            train, *bounds = (
                tf.summary.create_file_writer(str(workdir / "logs" / name))
                for name in ("train", *callbacks.BOUNDS)
            )
            bounds = dict(zip(callbacks.BOUNDS, bounds, strict=True))
            beside += [
                callbacks.Progress(config.steps, config.batch_size),
                callbacks.Samples(train, workdir / "samples", config.sample_every, *_look(images)),
                callbacks.Save(saved, config.checkpoint_every),
                callbacks.Scalars(train, bounds, config.log_every, config.batch_size),
            ]
            if config.evaluate_every:
                judge = evaluation.judge_while_training(config)
                scores, run = workdir / cards.FOLDER, workdir.resolve().name
                beside.append(callbacks.Evaluate(train, scores, config.evaluate_every, judge, run))
        beside.append(callbacks.Restart(config.log_every))
        batches = images.batches(
            config.batch_size, config.seed, start=first, per_step=config.discriminator_steps
        )
        gan.fit(
            batches,
            # Pace runs many steps per call and ends the training: this only bounds the calls.
            steps_per_epoch=config.steps - first,
            callbacks=beside,
            shuffle=False,
            verbose=0,
        )
        return Outcome(first, gan.step, stopped=gan.step < config.steps)


def describe(config):
    """Returns what a run would be, as text: data, shapes and ranges, parameters, devices."""
    strategy = _strategy(config)
    with strategy.scope():
        gan = build(config)
    images = data.load(config)
    batch = next(iter(images.batches(config.batch_size, config.seed)))
    return "\n".join(
        [
            f"data: {images.describe()}",
            f"batch: {batch.dtype.name} {tuple(batch.shape)}, "
            f"from {float(batch.numpy().min()):.2f} to {float(batch.numpy().max()):.2f}",
            f"latents: float32 ({config.batch_size}, {config.latent_dim}), {config.prior}",
            f"generator: {gan.generator.count_params():,} parameters, "
            f"to {gan.generator.output_shape[1:]}",
            f"discriminator: {gan.discriminator.count_params():,} parameters",
            f"devices: {_devices(config, strategy)}",
        ]
    )


def _opening(config, images, strategy, workdir, first):
    start = f"goes on from step {first:,}" if first else "starts"
    return (
        f"data: {images.describe()}\n"
        f"devices: {_devices(config, strategy)}, computing in {config.mixed_precision}\n"
        f"training {start}, to step {config.steps:,}, in {workdir}"
    )


def _look(images):
    """What to draw time and again, and what to hold it against."""
    if isinstance(images, data.Points):
        return callbacks.Density(images), None
    look = callbacks.Grid()
    return look, grid(images.first(look.count))


def _strategy(config, say=print):
    return strategies.build(
        config.strategy,
        config.batch_size,
        config.cross_device_ops,
        config.virtual_devices,
        config.cluster_timeout,
        say,
    )


def _devices(config, strategy):
    return strategies.describe(
        strategy,
        config.strategy,
        config.batch_size,
        config.cross_device_ops,
        config.virtual_devices,
    )


def _check_same_start(strategy, first, workdir):
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
def _lost_workers_told(strategy, workdir):
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
def _locked(workdir):
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
def _caught_signals():
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
