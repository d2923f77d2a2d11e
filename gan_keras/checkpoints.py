"""Saving and restoring all that a run needs to go on as if it had never stopped.

That is both networks and both optimizers. The step is the generator optimizer's count of
updates; all noise and the order of the data follow from the seed and the step, so that no
other random state exists.
"""

from pathlib import Path

import tensorflow as tf

from gan_keras.errors import UsageError, UserError


def manager(gan, workdir, keep):
    """Returns the `tf.train.CheckpointManager` of `workdir/checkpoints`.

    Its index is replaced in one step after the data are written: a run that is killed while
    it saves leaves the checkpoints before.
    """
    checkpoint = tf.train.Checkpoint(
        generator=gan.generator,
        discriminator=gan.discriminator,
        generator_optimizer=gan.generator_optimizer,
        discriminator_optimizer=gan.discriminator_optimizer,
    )
    return tf.train.CheckpointManager(checkpoint, _directory(workdir), max_to_keep=keep)


def restore_latest(checkpoints):
    """Restores the newest checkpoint of a manager, if there is one, into what it was made of."""
    if checkpoints.latest_checkpoint:
        checkpoints.checkpoint.restore(checkpoints.latest_checkpoint).assert_consumed()


def restore_generator(generator, workdir, step=None):
    """Restores a generator alone from a checkpoint of a run.

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
    tf.train.Checkpoint(generator=generator).restore(steps[step]).expect_partial()
    return step


def _directory(workdir):
    return str(Path(workdir, "checkpoints"))
