"""The lock of a run's folder: one process trains into it at a time."""

import contextlib
import fcntl
import os

from gan_keras import checkpoints
from gan_keras.errors import UserError

LOCK = ".lock"


@contextlib.contextmanager
def locked(workdir):
    """Keeps a second run out of the folder; the lock goes with the process, however it ends.

    A folder that was made for the lock, and got nothing else before an error, is removed again.
    """
    checkpoints.refuse_pattern("--workdir", workdir)
    made = not os.path.exists(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        file = open(workdir / LOCK, "w")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UserError(
            f"--workdir={workdir}: cannot be written: {error.strerror}; choose another"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"--workdir={workdir}: in use by another process; stop it, or choose another"
            ) from None
        try:
            yield
        except BaseException:
            if made and [path.name for path in workdir.iterdir()] == [LOCK]:
                (workdir / LOCK).unlink()
                workdir.rmdir()
            raise
