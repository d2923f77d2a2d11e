"""Mistakes that a user can make and mend; the command line prints them as one line."""


class UserError(Exception):
    """Something outside the program is not as it must be: a file, a folder, a server.

    The message names the flag or file, the value received, and the remedy.
    """

    exit_code = 1


class UsageError(UserError):
    """A flag or an argument has a value that cannot be used."""

    exit_code = 2
