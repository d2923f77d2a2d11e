"""Saving and restoring all that a run needs to go on as if it had never stopped.

That is the networks, both optimizers and the step. All noise and the order of the data follow
from the seed and the step, so that no other random state exists.
"""

import glob
from pathlib import Path

import tensorflow as tf

from gan_keras.errors import UsageError, UserError

AVERAGE = "ema_generator"


def manager(gan, workdir, keep):
    """Returns the `tf.train.CheckpointManager` of `workdir/checkpoints`.

    Its index is replaced in one step after the data are written: a run that is killed while
    it saves leaves the checkpoints before.
    """
    parts = {
        "steps": gan.steps.value,
        "generator": gan.generator,
        "discriminator": gan.discriminator,
        "generator_optimizer": gan.generator_optimizer,
        "discriminator_optimizer": gan.discriminator_optimizer,
    }
    if gan.ema_generator:
        parts[AVERAGE] = gan.ema_generator
    checkpoint = tf.train.Checkpoint(**parts)
    return tf.train.CheckpointManager(checkpoint, _directory(workdir), max_to_keep=keep)


def restore_latest(checkpoints):
    """Restores the newest checkpoint of a manager, if there is one, into what it was made of."""
    if checkpoints.latest_checkpoint:
        checkpoints.checkpoint.restore(checkpoints.latest_checkpoint).assert_consumed()


def restore_generator(generator, workdir, step=None):
    """Restores the generator to sample from: the average, if the run keeps one.

    Args:
        generator: The model to restore.
        workdir: Folder of the run.
        step: Training step of the checkpoint; the newest by default.

    Returns:
        The training step of the checkpoint.

    Raises:
        UserError: the run has no checkpoint.
        UsageError: it has none of that step.
    """
    state = tf.train.get_checkpoint_state(_directory(workdir))
    if state is None:
        raise UserError(f"{workdir}: no checkpoint there yet; train for longer first")
    steps = {int(path.rsplit("-", 1)[1]): path for path in state.all_model_checkpoint_paths}
    step = max(steps) if step is None else step
    if step not in steps:
        kept = ", ".join(map(str, sorted(steps)))
        raise UsageError(f"--checkpoint={step}: not kept in {workdir}; choose from {kept}")
    names = [name for name, _ in tf.train.list_variables(steps[step])]
    part = AVERAGE if any(name.startswith(f"{AVERAGE}/") for name in names) else "generator"
    tf.train.Checkpoint(**{part: generator}).restore(steps[step]).expect_partial()
    return step


def any_saved(workdir):
    """Whether there is a checkpoint in `workdir`, be it a damaged one."""
    # Unlike pathlib's, it finds nothing in what cannot be a folder.
    return bool(glob.glob(f"{glob.escape(_directory(workdir))}/*.index"))


def _directory(workdir):
    return str(Path(workdir, "checkpoints"))
