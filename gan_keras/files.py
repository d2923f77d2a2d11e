"""Files that are there whole or not at all."""

import contextlib
import errno
import os
import pathlib
import re

_FULL = {os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}


def write(path, data):
    """Writes a file so that a reader never sees half of it, and a failure leaves what was there.

    Args:
        path: The file; its folder must exist.
        data: Its content, bytes.

    Raises:
        OSError: the folder is missing or cannot be written to, or the disk is full; its
            `filename` is the file's.
    """
    path = pathlib.Path(path)
    # Not `tempfile`, whose files only their owner can read. The name has another ending, so that
    # who lists the folder's pictures or cards does not find it.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        if isinstance(error, OSError):
            # Not the partial one's, nor none, as a write to a full disk leaves it.
            error.filename, error.filename2 = str(path), None
        raise


def why(error):
    """Returns why something could not be written, and the remedy, in a phrase.

    Args:
        error: An OSError, or an error of TensorFlow that wraps one of the system.
    """
    if isinstance(error, OSError):
        told = error.strerror or str(error)
    else:  # `{{frame}} path; told [Op:Name]`
        found = re.search(r"; ([^;\[\n]+?)\s*(?:\[|\n|$)", error.message)
        told = found[1] if found else error.message.splitlines()[0]
    return f"{told}; {'make room' if told in _FULL else 'make it possible to write'} there"
