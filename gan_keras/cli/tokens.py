"""The file with a token, of the server and of its clients."""

from pathlib import Path

from gan_keras.errors import UsageError

SHORTEST = 16  # characters


def read(path):
    """Returns the token that a file holds; None if no file is given.

    Args:
        path: The value of --token_file, or None.

    Raises:
        UsageError: the file cannot be read, or holds no token.
    """
    if path is None:
        return None
    where = f"--token_file={path}"
    try:
        token = Path(path).read_text("ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII text"
        raise UsageError(f"{where}: cannot be read: {reason}") from None
    if len(token) < SHORTEST or not token.isprintable() or " " in token:
        raise UsageError(
            f"{where}: must hold one token of {SHORTEST} characters or more, without spaces; make"
            " one with: openssl rand -hex 32"
        )
    return token
