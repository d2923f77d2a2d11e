"""Whether a run resumes exactly: N + M steps in one go, against N, a stop, and M."""

import contextlib
import dataclasses
import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from gan_keras import checkpoints, files
from gan_keras import config as configs
from gan_keras.checkpoints import files as checkpoint_files
from gan_keras.errors import UsageError, UserError
from gan_keras.training import run

logger = logging.getLogger(__name__)

# Variables of the file that say nothing of the training: how it was saved.
_NOT_STATE = ("_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter/.ATTRIBUTES/VARIABLE_VALUE")
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_NEVER = 2**31 - 1


@dataclass(frozen=True)
class Verdict:
    """What a comparison found.

    Attributes:
        first_step: The step that both ways started from.
        steps: (N, M).
        compared: Number of variables: weights, optimizer state, averages and the step.
        differences: Dict from the names of those that differ in a bit to the largest absolute
            difference in them; NaN where one is not a number.
    """

    first_step: int
    steps: tuple
    compared: int
    differences: dict

    @property
    def largest(self):
        """The largest absolute difference, 0.0 if there is none."""
        return float(np.max([0.0, *self.differences.values()]))


def verify(workdir, steps=20, checkpoint=None):
    """Trains on from a checkpoint in two ways, in temporary folders; the run is only read.

    The batches need no comparison of their own: they are a function of the seed and the step,
    and would show in the weights.

    Args:
        workdir: Folder of the run.
        steps: N + M, at least 2.
        checkpoint: Step to start from, 0 for the very start; by default the newest that is whole,
            or the start if none was saved.

    Returns:
        A Verdict.

    Raises:
        UserError: the folder holds no run, no whole checkpoint, or the disk is full.
        UsageError: `steps` is too small, or there is no checkpoint of that step.
        KeyboardInterrupt: it was stopped by a signal.
    """
    if steps < 2:
        raise UsageError(f"--steps={steps}: must be at least 2, one on each side of the stop")
    workdir = Path(workdir)
    config = configs.load(workdir)
    first = _first(workdir, checkpoint)
    before = steps // 2
    config = dataclasses.replace(
        config,
        log_every=_NEVER,
        sample_every=_NEVER,
        checkpoint_every=_NEVER,
        evaluate_every=0,
        keep_best="",
    )
    last = first + steps
    with tempfile.TemporaryDirectory(prefix="gan-keras-verify-") as folder:
        whole, halves = Path(folder, "whole"), Path(folder, "halves")
        for copy in (whole, halves):
            _copy(workdir, first, copy)
        logger.info("training %d steps from step %s in one go", steps, f"{first:,}")
        _train(config, whole, last)
        logger.info("training %d steps, a stop, and %d steps", before, steps - before)
        _train(config, halves, first + before)
        _train(config, halves, last)
        one, other = (_variables(copy, last) for copy in (whole, halves))
    return Verdict(first, (before, steps - before), len(one), _differences(one, other))


def _first(workdir, checkpoint):
    if checkpoint == 0:
        return 0
    if checkpoint is None and not checkpoint_files.survey(checkpoints.directory(workdir)):
        return 0
    return checkpoints.locate(workdir, checkpoint)


def _copy(workdir, step, to):
    """Makes a run of one checkpoint; prepared data are linked to, since they may be large."""
    try:
        checkpoints.directory(to).mkdir(parents=True)
        if step:
            for path in checkpoint_files.paths(checkpoints.directory(workdir), step):
                with contextlib.suppress(FileNotFoundError):  # One that is older than the seals.
                    shutil.copy(path, checkpoints.directory(to))
        with contextlib.suppress(FileNotFoundError):  # A run without labels has none.
            shutil.copy(workdir / configs.CLASSES_FILE, to)
        (to / "data").mkdir()
        for path in (workdir / "data").glob("*"):
            (to / "data" / path.name).symlink_to(path.resolve())
    except OSError as error:
        raise UserError(f"{to}: cannot be written: {files.why(error)}, or set TMPDIR") from None


def _train(config, folder, last):
    level = run.logger.level
    run.logger.setLevel(logging.WARNING)  # Of a temporary folder nobody wants to read.
    try:
        if run.train(config, folder, last).stopped:
            raise KeyboardInterrupt
    finally:
        run.logger.setLevel(level)


def _variables(workdir, step):
    reader = tf.train.load_checkpoint(checkpoint_files.prefix(checkpoints.directory(workdir), step))
    names = sorted(set(reader.get_variable_to_shape_map()) - set(_NOT_STATE))
    return {name.removesuffix(_VALUE): np.asarray(reader.get_tensor(name)) for name in names}


def _differences(one, other):
    if one.keys() != other.keys():
        return {name: float("nan") for name in sorted(one.keys() ^ other.keys())}
    return {
        name: _distance(one[name], other[name])
        for name in one
        # By bytes: a NaN equals itself here, and -0.0 is not 0.0.
        if one[name].tobytes() != other[name].tobytes()
    }


def _distance(one, other):
    return float(np.max(np.abs(one.astype(np.float64) - other.astype(np.float64)), initial=0.0))
