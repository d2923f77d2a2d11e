"""What a client's user reads when there are no pictures: one line, with the remedy."""

import re

from gan_keras.errors import UserError
from gan_keras.exporting import contract


class NoSignature(UserError):
    """The model has no signature of this name."""


def one_line(text, limit=300):
    """Returns the text without line breaks, cut to `limit` characters."""
    text = " ".join(str(text).split())
    return text if len(text) <= limit else f"{text[:limit]}..."


def unreachable(where, reason):
    """Nobody answers at that address."""
    return UserError(
        f"{where} cannot be reached: {one_line(reason)}; is the server running, and is this the"
        f" right port ({contract.GRPC_PORT} is gRPC, {contract.REST_PORT} REST)?"
    )


def no_trust(where, said):
    """There is no TLS, or none that can be trusted."""
    return UserError(
        f"{where}: no TLS connection: {one_line(said)}; does the server have TLS, and is its"
        " certificate for this host and signed by what ca_cert or the system trusts?"
    )


def no_token(where, said):
    """The server wants a token, or another one."""
    return UserError(f"{where}: {one_line(said)}; give token (--token_file), as the server has it")


def too_slow(where, timeout):
    """The time of the call is over."""
    return UserError(f"{where}: no answer within {timeout:g} s; allow more time with timeout")


def no_model(where, model, said):
    """The server has no model of this name and version."""
    return UserError(
        f"{where}: no model `{model}` to be had: {one_line(said)}; check its name and version"
    )


def complaint(where, model, signature, said):
    """The server's own words."""
    if re.search("signature.*not found|no signature", said, re.IGNORECASE | re.DOTALL):
        if signature in (contract.PNG_LABEL_SIGNATURE, contract.SAMPLE_LABEL_SIGNATURE):
            said += (
                f"; `{model}` was trained without labels: omit label, or train with --conditional"
            )
        else:
            said += f"; `{signature}` is there if `{model}` comes from gan-keras-export"
        return NoSignature(f"{where}: {one_line(said)}")
    return UserError(f"{where}: {one_line(said)}")
