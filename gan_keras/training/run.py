"""From a Config to a trained run in a folder: `workdir/{checkpoints, logs, samples}`."""

import contextlib
import dataclasses
import os
from pathlib import Path

from gan_keras import checkpoints, data, evaluation, networks
from gan_keras import config as configs
from gan_keras.distribution import strategy as strategies
from gan_keras.drawing import grid
from gan_keras.errors import UserError
from gan_keras.evaluation import score_cards as cards
from gan_keras.game import GAN, optimizers
from gan_keras.training import callbacks, guards, precision

NEIGHBOURS = 256  # Real examples that tell what is near: 32,640 pairs, a third of a second at most.


@dataclasses.dataclass(frozen=True)
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
        precision=precision.choose(config.mixed_precision, config.network)[0],
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
        UserError: the data cannot be had, another run is at work in the folder, its checkpoints
            are all damaged, it cannot be written to, a number is not finite any more, or the
            game has collapsed and `config.on_collapse` is `stop`.
        UsageError: the configuration cannot be trained, or is not that of the folder.
    """
    workdir = Path(workdir)
    config, why = _settled(config, workdir)
    strategy = _strategy(config, say)
    with guards.lost_workers_told(strategy, workdir):
        return _train(config, why, workdir, strategy, say)


def _train(config, why, workdir, strategy, say):
    with strategy.scope():
        gan = build(config)
    images = data.load(config, cache_dir=workdir / "data", resumes=checkpoints.any_saved(workdir))
    chief = strategies.is_chief(strategy)

    locked = guards.locked(workdir) if chief else contextlib.nullcontext()
    with locked, guards.told_what_cannot_be_written(), guards.caught_signals() as caught:
        saved = checkpoints.manager(gan, workdir, config.keep_checkpoints)
        checkpoints.restore_latest(saved, set_aside=chief)
        first = gan.step
        guards.check_same_start(strategy, first, workdir)
        if first == 0 and config.network == "maxout":
            networks.maxout.start_from(gan.generator, images.mean())
        if first >= config.steps:
            return Outcome(first, first, stopped=False)
        if chief:
            configs.save(config, workdir)
        say(_opening(config, why, images, strategy, workdir, first))

        intervals = [config.log_every, config.sample_every, config.checkpoint_every]
        if config.evaluate_every:
            intervals.append(config.evaluate_every)
        alone = strategies.is_alone(strategy)
        beside = [callbacks.Pace(config.steps, intervals, lambda: bool(caught), adaptive=alone)]
        # Every worker looks, so that all of them stop at the same step.
        watch = callbacks.Collapse(
            _some(images),
            config.sample_every,
            config.log_every,
            stop=config.on_collapse == "stop",
            say=say if chief else lambda line: None,
        )
        beside.append(watch)
        if chief:
            # One writer a folder: TensorBoard follows only the newest file of each.
            train, *bounds = (
                callbacks.Journal(workdir / "logs" / name) for name in ("train", *callbacks.BOUNDS)
            )
            bounds = dict(zip(callbacks.BOUNDS, bounds, strict=True))
            watch.writer = train
            beside += [
                callbacks.Progress(config.steps, config.batch_size, watch.warnings),
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
        with guards.sickness_told(config, saved):
            gan.fit(
                batches,
                # Pace runs many steps per call and ends the training: this only bounds the calls.
                steps_per_epoch=config.steps - first,
                callbacks=beside,
                shuffle=False,
                verbose=0,
            )
        if watch.stop and watch.warnings:
            raise UserError(
                f"--on_collapse=stop: saved and stopped at step {gan.step:,}: "
                f"{'; '.join(watch.warnings.values())}; {guards.remedy(config)}, or go on with "
                "--on_collapse=warn"
            )
        return Outcome(first, gan.step, stopped=gan.step < config.steps)


def describe(config):
    """Returns what a run would be, as text: data, shapes and ranges, parameters, devices."""
    strategy = _strategy(config)
    with strategy.scope():
        gan = build(config)
    chosen, why = precision.choose(config.mixed_precision, config.network)
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
            f"devices: {_devices(config, strategy)}, computing in {chosen} ({why})",
        ]
    )


def _settled(config, workdir):
    """Settles what `auto` computes in, once for all calls in a folder; and why it is so.

    The precision decides what a run computes: on another machine it stays what it was.
    """
    wanted, why = config.mixed_precision, None
    if os.path.exists(workdir / configs.CONFIG_FILE):
        stored = configs.load(workdir)
        if wanted == "auto":
            wanted, why = stored.mixed_precision, "as before"
        config = dataclasses.replace(config, mixed_precision=wanted)
        configs.check_resumable(stored, config, workdir)
    chosen, reason = precision.choose(wanted, config.network)
    return dataclasses.replace(config, mixed_precision=chosen), why or reason


def _opening(config, why, images, strategy, workdir, first):
    start = f"goes on from step {first:,}" if first else "starts"
    return (
        f"data: {images.describe()}\n"
        f"devices: {_devices(config, strategy)}, computing in {config.mixed_precision} ({why})\n"
        f"training {start}, to step {config.steps:,}, in {workdir}"
    )


def _look(images):
    """What to draw time and again, and what to hold it against."""
    if isinstance(images, data.Points):
        return callbacks.Density(images), None
    look = callbacks.Grid()
    return look, grid(images.first(look.count))


def _some(images):
    """Real examples as the discriminator sees them; all different, unless there is only one."""
    count = NEIGHBOURS if isinstance(images, data.Points) else min(NEIGHBOURS, images.count)
    count = max(2, count)  # What is near is told by pairs.
    return next(iter(images.batches(count, seed=0))).numpy()


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
