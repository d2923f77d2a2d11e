"""The best checkpoint by a score, beside the newest ones: `workdir/checkpoints/best/`.

It is a checkpoint like the others, in a folder of its own, so that `keep_checkpoints` never
removes it. `best.json` says what it was chosen by.
"""

import json
import logging
import math

from gan_keras import files
from gan_keras.checkpoints import files as checkpoint_files
from gan_keras.checkpoints.save_restore import BEST, Checkpoints, place
from gan_keras.errors import UserError

logger = logging.getLogger(__name__)

RECORD = "best.json"


class Best:
    """Keeps the one checkpoint whose score no other has surpassed; of equal ones, the first.

    A resumed run evaluates steps again that it had evaluated before, finds the scores that it
    had found, and so keeps what it had kept.

    Args:
        checkpoint: `tf.train.Checkpoint` of what is saved.
        workdir: Folder of the run.
        metric: Name of the score.
        better: `lower` or `higher`.
    """

    def __init__(self, checkpoint, workdir, metric, better):
        self.saved = Checkpoints(checkpoint, place(workdir, BEST), keep=1)
        self.metric = metric
        self.better = better

    def offer(self, step, value, protocol):
        """Saves the checkpoint if it is the best so far.

        Args:
            step: Training step of what the checkpoint holds now.
            value: Its score. One that is not finite is never the best.
            protocol: How it was measured, as text; scores by another one do not compare, and
                the first by a new one replaces what was kept.

        Returns:
            Whether it was saved.

        Raises:
            UserError: the disk is full, or cannot be written to; what was kept stays.
        """
        if not math.isfinite(value):
            logger.warning("step %s: %s is not finite; not kept as the best", f"{step:,}", value)
            return False
        try:
            kept = self._kept(protocol)
        except Exception:  # Of whatever kind: a flipped bit may reach any line of the reader.
            # What is kept may be the best of a long run, and nothing tells any more that it is not.
            if self.saved.latest_checkpoint is not None:
                logger.warning(
                    "step %s: %s is corrupt, or cannot be read; what is there stays the best: "
                    "remove the file to begin anew", f"{step:,}", self.saved.folder / RECORD,
                )  # fmt: skip
                return False
            kept = None
        if not self._surpasses(value, kept):
            return False
        self.saved.save(step)
        # A later step, of a record that was lost, would be taken for the best.
        for other in checkpoint_files.survey(self.saved.folder):
            if other != step:
                checkpoint_files.remove(self.saved.folder, other)
        record = {"metric": self.metric, "value": value, "step": step, "protocol": protocol}
        path = self.saved.folder / RECORD
        try:
            files.write(path, (json.dumps(files.sealed(record), indent=2) + "\n").encode())
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {files.why(error)}") from None
        return True

    def _surpasses(self, value, kept):
        if kept is None:
            return True
        return value < kept if self.better == "lower" else value > kept

    def _kept(self, protocol):
        """The score of what is kept, or None if it does not compare or is not whole."""
        try:
            text = (self.saved.folder / RECORD).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        record = files.unsealed(json.loads(text))
        value, step = float(record["value"]), int(record["step"])
        if (record["metric"], record["protocol"]) != (self.metric, protocol):
            return None
        return value if checkpoint_files.damage(self.saved.folder, step) is None else None
