"""Files that are there whole or not at all, and records that show whether they still are."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import stat

DIGEST = "sha256"  # The field of a record in JSON with the digest of its other fields.
_FULL = {os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}


def write(path, data, keep=False):
    """Writes a file so that a reader never sees half of it, and a failure leaves what was there.

    Args:
        path: The file; its folder must exist.
        data: Its content, bytes.
        keep: Whether it keeps the mode of the file that is there, and, where that is permitted,
            the owner and the group.

    Raises:
        OSError: the folder is missing or cannot be written to, or the disk is full; its
            `filename` is the file's.
    """
    path = pathlib.Path(path)
    # Not `tempfile`, whose files only their owner can read. The name has another ending, so that
    # who lists the folder's pictures or cards does not find it; and it is short, as the file's own
    # may be as long as a name can be.
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    partial = path.with_name(f".{name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        if keep:
            was = path.stat()
            for owner, group in ((-1, was.st_gid), (was.st_uid, -1)):
                with contextlib.suppress(PermissionError):
                    os.chown(partial, owner, group)
            partial.chmod(stat.S_IMODE(was.st_mode))
        partial.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        if isinstance(error, OSError):
            # Not the partial one's, nor none, as a write to a full disk leaves it.
            error.filename, error.filename2 = str(path), None
        raise


def sealed(record):
    """Returns a record with one field more: the digest of what it holds.

    Args:
        record: Dict of what JSON can hold, without a field `sha256`.
    """
    return {**record, DIGEST: _digest(record)}


def unsealed(record):
    """Returns a record without its digest; one that has none, as older versions wrote it, as it is.

    Args:
        record: What was read from the file, a dict.

    Raises:
        ValueError: the digest is that of another record, or its field has another name.
    """
    fields = {name: value for name, value in record.items() if name != DIGEST}
    if DIGEST in record:
        if record[DIGEST] != _digest(fields):
            raise ValueError(f"its {DIGEST} is another")
    elif record:
        # A flipped bit in the name alone: what holds the digest of all before it is no other field.
        *before, (name, value) = record.items()
        if value == _digest(dict(before)):
            raise ValueError(f"its {DIGEST} is called {name!r}")
    return fields


def _digest(record):
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()


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
