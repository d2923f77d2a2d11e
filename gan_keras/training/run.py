"""From a Config to a trained run in a folder: `workdir/{checkpoints, logs, samples}`."""

import contextlib
import dataclasses
import logging
import os
from pathlib import Path

from gan_keras import checkpoints, data, networks
from gan_keras import config as configs
from gan_keras.distribution import strategy as strategies
from gan_keras.drawing import grid
from gan_keras.errors import UserError, visible
from gan_keras.game import GAN, ConditionalGAN, decay_of, optimizers
from gan_keras.training import (
    callbacks,
    devices,
    folder_lock,
    live_view,
    lost_workers,
    not_finite,
    precision,
    signals,
    write_errors,
)
from gan_keras.training.plan import make_plan

NEIGHBOURS = 256  # Real examples that tell what is near: 32,640 pairs, a third of a second at most.
# Fields of a Config that are arguments of a GAN.
GAME = (
    *("prior", "generator_loss", "discriminator_steps", "instance_noise", "instance_noise_steps"),
    *("augment_target", "r1_weight", "r2_weight", "penalty_every", "seed"),
)

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a call of `train` ended."""

    first_step: int  # The step it started from.
    last_step: int
    stopped: bool  # Whether a signal ended it before `config.steps`.


def train(
    config: configs.Config,
    workdir: str | os.PathLike,
    last: int | None = None,
    live_port: int | None = None,
) -> Outcome:
    """Trains up to `config.steps` in `workdir`, from where an earlier run there stopped.

    What a person may want to know is logged under `gan_keras`; progress is printed.

    Args:
        config: A Config; `workdir`, if it holds a run, must hold one of the same.
        workdir: Folder of the run; made if missing.
        last: Step to stop after, whatever the rates are set out for; `config.steps` by default.
        live_port: Port of 127.0.0.1 for a page that shows a game on points while it is played,
            with buttons to pause it and to start it again; 0 for any that is free, None for no
            page. What is computed and saved is the same.

    Returns:
        An Outcome.

    Raises:
        UserError: the data cannot be had, another process uses the folder, its checkpoints are
            all corrupt, it cannot be written to, a number is not finite any more, or the game
            has collapsed and `config.on_collapse` is `stop`; or the port cannot be had.
        UsageError: the configuration cannot be trained, or is not that of the folder; or it
            cannot be shown on a page.
    """
    plan = make_plan(config, Path(workdir), last)
    with devices.reported(plan.config), lost_workers.reported(plan.strategy, plan.workdir):
        return _train(plan, live_port)


def _train(plan, live_port):
    config, workdir = plan.config, plan.workdir
    with (
        _exclusive(plan),
        write_errors.reported(),
        signals.caught() as caught,
        live_view.opened(plan, live_port, caught) as view,
    ):
        # Another run may have begun here since the plan was made, before the folder was locked.
        configs.settle(config, workdir)
        names = _class_names(plan)
        with plan.strategy.scope():
            gan = build(config, len(names), plan.jit_compile)
        if view:
            view.remember(gan)
        images = data.load(
            config, cache_dir=workdir / "data", resumes=checkpoints.any_saved(workdir)
        )
        images = images.mirrored() if config.flip else images
        saved, first = _resume(plan, gan)

        def fit(start, last, beside):
            gan.steps_per_execution = 1  # Of an earlier call it would divide the bound below.
            gan.fit(
                _batches(plan, images, start),
                # StepsPerCall ends the training: this only bounds the number of calls.
                steps_per_epoch=last - start,
                callbacks=beside,
                shuffle=False,
                verbose=0,
            )

        def play(start):
            save = callbacks.Save(saved, config.checkpoint_every)
            watch = _watch(plan, images)
            with not_finite.reported(config, saved), save.also_after_errors():
                fit(start, plan.last, _callbacks(plan, images, judge, save, watch, caught, view))
            _refuse_collapse(config, gan, watch)
            return gan.step

        if view:
            view.begin(gan, images)
        reached = first
        if first < plan.last:
            # Before anything is written: it may refuse the run.
            evaluates = plan.is_chief and config.evaluate_every
            judge = callbacks.judge_of(config) if evaluates else None
            _begin(plan, gan, images, first, names)
            reached = play(first)
        elif plan.is_chief and callbacks.lacks_scores(config, workdir, first):
            _score_the_end(plan, gan, saved)
        if view:
            reached = view.play_again(reached, saved, fit, play)
        return Outcome(first, reached, stopped=reached < plan.last)


def _exclusive(plan):
    return folder_lock.locked(plan.workdir) if plan.is_chief else contextlib.nullcontext()


def _class_names(plan):
    """The classes whose labels the networks take: as the run began with them."""
    if not plan.config.labelled:
        return []
    return configs.load_classes(plan.workdir) or data.class_names(plan.config)


def _batches(plan, images, first):
    config = plan.config
    labels = {"labels": True} if config.labelled else {}  # Points have none.

    def batches(**share):
        return images.batches(
            config.batch_size, config.seed, first, config.discriminator_steps, **labels, **share
        )

    return strategies.distribute(plan.strategy, batches)


def build(config, classes=0, jit_compile=False):
    """Builds and compiles the GAN of a configuration, in the current strategy's scope.

    Args:
        config: A Config; where its precision is `auto`, it is chosen as in `make_plan`.
        classes: Number of classes, whose labels the networks take; 0: none.
        jit_compile: Whether XLA compiles the training step.

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
        classes=classes,
    )
    gan = (ConditionalGAN if classes else GAN)(
        generator,
        discriminator,
        augment=config.augmentations,
        ema_decay=config.ema_decay or decay_of(config.ema_half_life, config.batch_size),
        **{name: getattr(config, name) for name in GAME},
    )
    rate = config.learning_rate
    gan.compile(
        _optimizer(config, rate, config.steps),
        _optimizer(
            config,
            config.discriminator_learning_rate or rate,
            config.steps * config.discriminator_steps,
        ),
        jit_compile=jit_compile,
    )
    return gan


def _optimizer(config, learning_rate, updates):
    return optimizers.build(
        config.optimizer,
        learning_rate=learning_rate,
        learning_rate_decay=config.learning_rate_decay,
        beta_1=config.beta_1,
        beta_2=config.beta_2,
        cosine_steps=updates if config.learning_rate_schedule == "cosine" else 0,
        momentum=config.momentum,
        final_momentum=config.final_momentum,
        ramp=config.momentum_steps,
        scale_loss=config.mixed_precision == "float16",
    )


def _resume(plan, gan):
    """Restores the newest checkpoint, if there is one; returns all of them, and the step."""
    saved = checkpoints.manager(gan, plan.workdir, plan.config.keep_checkpoints)
    checkpoints.restore_latest(saved, set_aside=plan.is_chief)
    lost_workers.check_same_start(plan.strategy, gan.step, plan.workdir)
    return saved, gan.step


def _begin(plan, gan, images, first, names):
    """What comes before the first step: the run's files, and the lines that a person reads."""
    config = plan.config
    if first == 0 and config.network == "maxout":
        networks.maxout.start_from(gan.generator, images.mean())
    if first == 0 and names:
        if config.conditional:
            images.check_classes()
        for generator in {gan.generator, gan.sampler}:
            networks.set_frequencies(generator, images.labels())
    if plan.is_chief:
        configs.save(config, plan.workdir)
        if names:
            configs.save_classes(names, plan.workdir)
    logger.info("data: %s", images.describe())
    logger.info("devices: %s", plan.devices)
    start = f"resumes from step {first:,}" if first else "starts"
    logger.info("training %s, to step %s, in %s", start, f"{plan.last:,}", plan.workdir)


def _watch(plan, images):
    """Every worker looks for a collapse, so that all of them stop at the same step."""
    config = plan.config
    return callbacks.Collapse(
        _some(images),
        config.sample_every,
        config.log_every,
        stop=config.on_collapse == "stop",
        # One writer a folder: TensorBoard follows only the newest file of each.
        writer=_writer(plan, "train") if plan.is_chief else None,
        quiet=not plan.is_chief,
    )


def _callbacks(plan, images, judge, save, watch, caught, view):
    """What happens beside the steps, in this order."""
    config, alone = plan.config, strategies.is_alone(plan.strategy)
    intervals = [config.log_every, config.sample_every, config.checkpoint_every]
    intervals += [config.evaluate_every] if config.evaluate_every else []
    pace = {"adaptive": alone, **(live_view.PACE if view else {})}
    chiefs = _chief_callbacks(plan, images, judge, save.checkpoints, watch) if plan.is_chief else []
    return [
        callbacks.StepsPerCall(plan.last, intervals, lambda: bool(caught), **pace),
        *([save] if plan.is_chief else []),  # Before all that could prevent it.
        watch,
        *chiefs,
        callbacks.Restart(config.log_every),
        *(view.beside(chiefs) if view else []),
    ]


def _chief_callbacks(plan, images, judge, saved, watch):
    """Whatever else prints or writes a file."""
    config, workdir, writer = plan.config, plan.workdir, watch.writer
    bounds = {name: _writer(plan, name) for name in callbacks.BOUNDS}
    beside = [
        callbacks.Progress(plan.last, config.batch_size, watch.warnings),
        callbacks.Samples(writer, workdir / "samples", config.sample_every, *_look(config, images)),
        callbacks.Scalars(writer, bounds, config.log_every, config.batch_size),
    ]
    if judge:
        beside.append(callbacks.evaluate_as(config, judge, workdir, writer, saved))
    return beside


def _writer(plan, name):
    return callbacks.CheckedSummaryWriter(plan.workdir / "logs" / name)


def _score_the_end(plan, gan, saved):
    """Of a run that was killed between its last checkpoint and the scores of that step."""
    logger.info("step %s has no scores yet: scoring it", f"{gan.step:,}")
    judge = callbacks.judge_of(plan.config)
    if judge:
        writer = _writer(plan, "train")
        evaluate = callbacks.evaluate_as(plan.config, judge, plan.workdir, writer, saved)
        evaluate.set_model(gan)
        evaluate.on_train_begin()


def _refuse_collapse(config, gan, watch):
    if watch.stop and watch.warnings:
        raise UserError(
            f"--on_collapse=stop: saved and stopped at step {gan.step:,}: "
            f"{'; '.join(watch.warnings.values())}; {not_finite.remedy(config)}, or resume with "
            "--on_collapse=warn"
        )


def describe(config: configs.Config, workdir: str | os.PathLike) -> str:
    """Returns what `train` would do, as text: data, shapes, ranges, parameters, devices.

    Raises:
        UserError, UsageError: as `train`.
    """
    plan = make_plan(config, Path(workdir))
    config = plan.config
    names = _class_names(plan)
    with plan.strategy.scope():
        gan = build(config, len(names))
    images = data.load(config)
    images = images.mirrored() if config.flip else images
    batch = next(iter(images.batches(config.batch_size, config.seed)))
    return "\n".join(
        [
            f"data: {images.describe()}",
            f"batch: {batch.dtype.name} {tuple(batch.shape)}, "
            f"from {float(batch.numpy().min()):.2f} to {float(batch.numpy().max()):.2f}",
            *([f"labels: {len(names)} classes, {visible(', '.join(names))}"] if names else []),
            f"latents: float32 ({config.batch_size}, {config.latent_dim}), {config.prior}",
            f"generator: {gan.generator.count_params():,} parameters, "
            f"to {gan.generator.output_shape[1:]}",
            f"discriminator: {gan.discriminator.count_params():,} parameters",
            f"devices: {plan.devices}",
        ]
    )


def _look(config, images):
    """What to draw time and again, and what to compare it with."""
    if isinstance(images, data.Points):
        return callbacks.Density(images), None
    if config.labelled:
        look = callbacks.Rows(len(images.class_names))
        return look, grid(images.by_class(look.labels, look.count), columns=look.count)
    look = callbacks.Grid()
    return look, grid(images.first(look.count))


def _some(images):
    """Real examples as the discriminator sees them; all different, unless there is only one."""
    count = NEIGHBOURS if isinstance(images, data.Points) else min(NEIGHBOURS, images.count)
    count = max(2, count)  # Pairs say what is near.
    return next(iter(images.batches(count, seed=configs.random_streams.EXAMPLES))).numpy()
