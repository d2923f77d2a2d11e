"""Mistakes that a user can make and mend; the command line prints them as one line."""

import contextlib
import re
import unicodedata

# Control characters, halves of a surrogate pair (as which Python hands over bytes that are no
# UTF-8), separators of lines and of paragraphs.
INVISIBLE = ("Cc", "Cs", "Zl", "Zp")


def visible(text):
    """Returns the text as one line that any terminal shows and none obeys."""
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in INVISIBLE else c
        for c in text
    )


class UserError(Exception):
    """Something outside the program is not as it must be: a file, a folder, a server.

    The message names the flag or file, the value received, and the remedy.
    """

    exit_code = 1

    def __init__(self, message):
        # What it quotes may hold line breaks: names of files, values of flags, others' messages.
        super().__init__(visible(message))


class UsageError(UserError):
    """A flag or an argument has a value that cannot be used."""

    exit_code = 2


@contextlib.contextmanager
def memory_reported(remedy):
    """Makes a UserError of what says that there is no memory: Python's, TensorFlow's, CUDA's.

    Args:
        remedy: What to do about it, the end of the message.
    """
    try:
        yield
    except Exception as error:
        # By its name: this module does not import TensorFlow. Disks and quotas run out as well,
        # and the libraries of CUDA report theirs as internal errors.
        is_ours = isinstance(error, UserError)
        lacks = re.search(r"\bOOM\b|out[ _]of[ _]memory|failed to allocate", str(error), re.I)
        if is_ours or not (lacks or isinstance(error, MemoryError)):
            raise
        shape = re.search(r"shape ?\[([\d,]+)\]", str(error))
        device = re.search(r"device:(\w+:\d+)|\b(GPU:\d+)", str(error))
        where = f" of {device[1] or device[2]}" if device else ""
        what = f", for numbers of shape {shape[1].replace(',', 'x')}" if shape else ""
        raise UserError(f"the memory{where} is full{what}; {remedy}") from None
