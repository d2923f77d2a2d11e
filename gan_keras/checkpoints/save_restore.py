"""Saving and restoring all that a run needs to go on as if it had never stopped.

That is the networks, both optimizers, the step, and the probability of an adaptive
augmentation. All noise and the order of the data follow
from the seed and the step, so that no other random state exists.
"""

import glob
import logging
import os
import shutil
from pathlib import Path

import tensorflow as tf

from gan_keras import files
from gan_keras.checkpoints import files as checkpoint_files
from gan_keras.errors import UsageError, UserError

logger = logging.getLogger(__name__)

AVERAGE = "ema_generator"
BEST = "best"  # Instead of a step: what `best.Best` keeps.
# TensorFlow takes the name of a checkpoint for a pattern of names.
PATTERN = "[]*?\\"
LEFTOVERS = ("Detecting that an object or model", "Value in checkpoint could not be found")
LOOKS = 10  # At a folder in which training removes what is being looked at.
# What restoring a checkpoint of another network or version may end in.
FOREIGN = (AssertionError, ValueError, KeyError, TypeError, IndexError, tf.errors.OpError)


class Checkpoints:
    """The checkpoints of a run: saved whole or not at all, the newest ones kept.

    Args:
        checkpoint: `tf.train.Checkpoint` of what is saved.
        folder: Where; made if missing.
        keep: Number of whole checkpoints that stay.
    """

    def __init__(self, checkpoint, folder, keep):
        checkpoint.save_counter  # noqa: B018 - made here, as files of tf.train.Checkpoint have it
        self.checkpoint = checkpoint
        self.folder = Path(folder)
        self.keep = keep

    @property
    def latest_checkpoint(self):
        """What the names of the newest whole checkpoint's files begin with, or None."""
        step, _ = _newest_whole(self.folder)
        return None if step is None else checkpoint_files.prefix(self.folder, step)

    def save(self, step):
        """Saves a checkpoint and removes what is too old; a failure leaves all that was there.

        The digests follow the data, and the list of the checkpoints follows them: a run that
        is killed while it saves leaves the checkpoints before.

        Raises:
            UserError: the disk is full, or cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._clear_unfinished()
            self.checkpoint.write(checkpoint_files.prefix(self.folder, step))
            checkpoint_files.seal(self.folder, step)
            # A later step than this one is what a corrupt list hid, or a copy: it is not ours.
            steps = [old for old in checkpoint_files.survey(self.folder) if old <= step]
            checkpoint_files.list_saved(self.folder, steps[: self.keep][::-1])
            for old in steps[self.keep :]:
                checkpoint_files.remove(self.folder, old)
        except (OSError, tf.errors.OpError) as error:
            self._clear_unfinished()
            latest = self.latest_checkpoint
            on = f"; the same command resumes from {Path(latest).name}" if latest else ""
            raise UserError(
                f"{self.folder}: the checkpoint of step {step:,} cannot be saved: "
                f"{files.why(error)}{on}"
            ) from None

    def _clear_unfinished(self):
        """Removes the working files of saves that were killed or failed."""
        for path in self.folder.glob("ckpt-*_temp"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob(".*.partial"):
            path.unlink(missing_ok=True)


def manager(gan, workdir, keep):
    """Returns the Checkpoints of a GAN in `workdir/checkpoints`."""
    parts = {
        "steps": gan.steps.value,
        "generator": gan.generator,
        "discriminator": gan.discriminator,
        "generator_optimizer": gan.generator_optimizer,
        "discriminator_optimizer": gan.discriminator_optimizer,
    }
    if gan.ema_generator:
        parts[AVERAGE] = gan.ema_generator
    if gan.augmentation.probability is not None:
        parts["augmentation"] = gan.augmentation
    return Checkpoints(tf.train.Checkpoint(**parts), directory(workdir), keep)


def restore_latest(checkpoints, set_aside=True):
    """Restores the newest whole checkpoint, if there is one, into what it was made of.

    Args:
        checkpoints: Checkpoints.
        set_aside: Whether to rename corrupt ones that are newer, which training on would
            otherwise replace; they are reported in any case.

    Raises:
        UserError: there are checkpoints, and none is whole, or the newest is of another run.
    """
    folder = checkpoints.folder
    step, damaged = _newest_whole(folder)
    if step is None:
        _refuse_if_lost(folder, damaged)
        return
    _tell(folder, step, damaged, "set aside" if set_aside else "left there")
    for bad in damaged if set_aside else ():
        checkpoint_files.set_aside(folder, bad)
    try:
        checkpoints.checkpoint.restore(checkpoint_files.prefix(folder, step)).assert_consumed()
    except FOREIGN as error:
        raise _foreign(folder, step, error) from None


def locate(workdir, step=None):
    """Returns the step of a whole checkpoint: that one, the newest, or the best.

    Raises:
        UserError: the run has no checkpoint, or a corrupt one is all that it has or was asked for.
        UsageError: it has none of that step, or keeps no best one.
    """
    folder = place(workdir, step)
    steps = checkpoint_files.survey(folder)
    if step in (None, BEST):
        best = step == BEST
        step, damaged = _newest_whole(folder)
        if step is None:
            _refuse_if_lost(folder, damaged)
            if best:
                raise UsageError(
                    f"--checkpoint={BEST}: {workdir} keeps none; train with --keep_best and "
                    "--evaluate_every, or omit --checkpoint for the newest"
                )
            raise UserError(f"{workdir}: no checkpoint there yet; train for longer first")
        _tell(folder, step, damaged, "left there")
    elif step not in steps:
        kept = ", ".join(map(str, sorted(steps))) or "none"
        raise UsageError(f"--checkpoint={step}: not kept in {workdir}; choose from {kept}")
    elif wrong := checkpoint_files.damage(folder, step):
        raise UserError(f"--checkpoint={step}: {wrong}, in {folder}; choose another")
    return step


def restore_generator(generator, workdir, step=None):
    """Restores the generator to sample from: the average, if the run keeps one.

    Args:
        generator: The model to restore.
        workdir: Folder of the run.
        step: Training step of the checkpoint, or BEST; by default the newest that is whole.
            Damaged ones that are newer are reported.

    Returns:
        The training step of the checkpoint.

    Raises:
        UserError, UsageError: as `locate`.
    """
    folder = place(workdir, step)
    for _ in range(LOOKS):
        found = locate(workdir, step)
        path = checkpoint_files.prefix(folder, found)
        try:
            names = [name for name, _ in tf.train.list_variables(path)]
            part = AVERAGE if any(name.startswith(f"{AVERAGE}/") for name in names) else "generator"
            status = tf.train.Checkpoint(**{part: generator}).restore(path)
            status.assert_existing_objects_matched().expect_partial()
            return found
        except FOREIGN as error:
            failure = error
        # It was whole; training that goes on may have removed it since.
        if checkpoint_files.damage(folder, found) is None:
            break
    raise _foreign(folder, found, failure)


def _foreign(folder, step, error):
    # TensorFlow names each value that found no place, once the objects are deleted.
    logging.getLogger("tensorflow").addFilter(_is_no_leftover)
    reason = " ".join(str(error).split())[:200]
    return UserError(
        f"{folder}: the checkpoint of step {step:,} is not one of this configuration ({reason}); "
        "bring the run's own back, or start anew in another --workdir"
    )


def _is_no_leftover(record):
    return not str(record.msg).startswith(LEFTOVERS)


def _newest_whole(folder):
    """Returns the newest step whose checkpoint is whole, or None, and what is wrong with newer.

    Damage has to be seen twice: training that goes on removes the older ones meanwhile.
    """
    before = None
    for _ in range(LOOKS):
        found = _look(folder)
        if not found[1] and found[0] is not None:
            break
        if found == before:
            break
        before = found
    return found


def _look(folder):
    damaged = {}
    for step in checkpoint_files.survey(folder):
        wrong = checkpoint_files.damage(folder, step)
        if wrong is None:
            return step, damaged
        damaged[step] = wrong
    return None, damaged


def _refuse_if_lost(folder, damaged):
    if damaged or checkpoint_files.list_damaged(folder):
        wrong = "; ".join(damaged.values()) or f"{checkpoint_files.STATE} is corrupt"
        raise UserError(
            f"{folder}: no checkpoint there is whole ({wrong}); bring them back from a copy, "
            "or start anew in another --workdir"
        )


def _tell(folder, step, damaged, fate):
    if damaged:
        wrong = "; ".join(damaged.values())
        logger.warning("%s: %s (%s); using step %s", folder, wrong, fate, f"{step:,}")
    elif checkpoint_files.list_damaged(folder):
        state = folder / checkpoint_files.STATE
        logger.warning("%s: corrupt; using step %s", state, f"{step:,}")


def directory(workdir):
    """Returns the folder of a run's checkpoints.

    Raises:
        UsageError: TensorFlow could write checkpoints there, but not find them.
    """
    refuse_pattern("--workdir", workdir)
    return Path(workdir, "checkpoints")


def place(workdir, step=None):
    """Returns the folder of a checkpoint: of a step, or of the newest (None), or of the BEST."""
    folder = directory(workdir)
    return folder / BEST if step == BEST else folder


def refuse_pattern(flag, folder):
    """Refuses a folder whose name TensorFlow would take for a pattern, or cannot take at all.

    Raises:
        UsageError: it holds one of `[]*?\\`, or is no UTF-8.
    """
    name = os.fspath(folder)
    if found := sorted(set(PATTERN) & set(name)):
        raise UsageError(
            f"{flag}={name}: TensorFlow finds no file in folders with {' '.join(found)} in the "
            "name; choose another name"
        )
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{flag}={name}: is no UTF-8; choose another name") from None


def any_saved(workdir):
    """Whether there is a checkpoint in `workdir`, be it corrupt."""
    # Unlike pathlib's, it finds nothing in what cannot be a folder.
    return bool(glob.glob(f"{glob.escape(str(directory(workdir)))}/*.index"))
