"""A full disk and its like, as one line."""

import contextlib
import errno

from gan_keras.errors import UserError
from gan_keras.files import why

_CANNOT_WRITE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
}


@contextlib.contextmanager
def reported():
    """Makes a UserError of a full disk and the like; other errors are not the user's."""
    try:
        yield
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        raise UserError(
            f"{error.filename or 'standard output'}: cannot be written: {why(error)}, and the same "
            "command resumes from the newest checkpoint"
        ) from None
