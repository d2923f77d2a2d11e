"""Mistakes that a user can make and mend; the command line prints them as one line."""

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
