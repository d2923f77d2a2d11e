"""Files that are there whole or not at all."""

import contextlib
import os
import pathlib


def write(path, data):
    """Writes a file so that a reader never sees half of it, and a failure leaves what was there.

    Args:
        path: The file; its folder must exist.
        data: Its content, bytes.

    Raises:
        OSError: the folder is missing or cannot be written to, or the disk is full.
    """
    path = pathlib.Path(path)
    # Not `tempfile`, whose files only their owner can read. The name has another ending, so that
    # who lists the folder's pictures or cards does not find it.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
