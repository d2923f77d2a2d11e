"""The one exception with which a request is refused, whatever the protocol."""

import grpc

# gRPC sends a message in the trailers, which a peer may refuse beyond 8 KiB; percent-encoding
# makes up to 12 bytes of a character.
LONGEST = 500  # characters


class RequestError(Exception):
    """A request that is not answered.

    Args:
        code: Tells gRPC why; REST maps it to an HTTP status.
        message: One line for the caller.
    """

    def __init__(self, code: grpc.StatusCode, message: str):
        # Names that a caller has made up stand in messages.
        super().__init__(message if len(message) <= LONGEST else f"{message[:LONGEST]}...")
        self.code = code


def invalid(message):
    """A RequestError of what the caller sent."""
    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message):
    """A RequestError of what the caller asked for."""
    return RequestError(grpc.StatusCode.NOT_FOUND, message)


def one_line(error, limit=300):
    """What an exception says, without the traces that TensorFlow puts around it."""
    text = str(getattr(error, "message", None) or error) or type(error).__name__
    text = text.rpartition("<stack traces unavailable>")[2].partition("[[{{")[0]
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[:limit]}..."
