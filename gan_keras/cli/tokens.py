"""The file with a token, of the server and of its clients."""

from pathlib import Path

from absl import flags as absl_flags

from gan_keras.errors import UsageError

SHORTEST = 16  # characters


def define_for_clients(values):
    """Defines the flags of a client that encrypts, and of its token, in a FlagValues."""
    absl_flags.DEFINE_boolean(
        "tls", False, "Encrypt, and check the server's certificate.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "ca_cert",
        None,
        "PEM file of the certificate that signed the server's (default: what the system trusts);"
        " means --tls.",
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "token_file", None, "File with the token of the server's --token_file.", flag_values=values
    )


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
