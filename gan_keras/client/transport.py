"""What REST and gRPC have in common: bytes out, bytes in, and when a request is sent again."""

import logging
import random
import time

# A request changes nothing on the server, so that it can be sent again when it was refused or its
# connection broke: three times within a second, enough for a server that sheds load. Never after
# a time-out: the server is then still at work, and a second request would double its load.
ATTEMPTS = 4
FIRST_PAUSE = 0.1  # seconds; doubled each time
LONGEST_PAUSE = 2.0  # seconds, also if the server's Retry-After asks for more

# grpc's own limit of 4 MiB is below one full batch of 128x128 RGB floats (12 MiB).
MAX_REPLY_BYTES = 256 * 2**20

logger = logging.getLogger(__name__)
# The system's own: clients that were refused together must not come back together, whatever seed
# their programs set; and a program's own draws stay as they were.
_jitter = random.SystemRandom()


class Busy(Exception):
    """The server did not take a request and may take it later.

    Args:
        error: The UserError to raise where it is not asked again.
        pause: Seconds that the server asks for, or 0.
    """

    def __init__(self, error, pause=0.0):
        self.error, self.pause = error, pause


def left(end):
    """Seconds until then, as of `time.monotonic()`; a TimeoutError if there are none."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds


class Transport:
    """Sends predictions. The classes below encode a request, send it once, and read the answer.

    `where` is the address and the transport, for messages.
    """

    where: str

    def predict(self, signature, inputs, output, end):
        """Returns an output: a list of bytes if its name ends in `_bytes`, or a float32 array.

        Args:
            signature: The signature's name.
            inputs: Arrays of int64 or float32 by name, none empty.
            output: The output's name.
            end: As of `time.monotonic()`, when the answer has to be there.

        Raises:
            UserError: there is none, and why.
            Exception: an answer of another form, as whatever reading it raises.
        """
        body = self._encode(signature, inputs, output)
        for attempt in range(1, ATTEMPTS + 1):
            start = time.perf_counter()
            try:
                data = self._send(body, signature, end)
                break
            except Busy as busy:
                pause = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
                pause *= _jitter.uniform(0.5, 1.0)
                pause = max(pause, min(busy.pause, LONGEST_PAUSE))
                if attempt == ATTEMPTS or time.monotonic() + pause >= end:
                    raise busy.error from None
                logger.debug("%s: again in %.0f ms: %s", self.where, 1000 * pause, busy.error)
            time.sleep(pause)
        logger.debug(
            "%s: `%s` of %d rows: %s bytes sent, %s bytes received, %.1f ms%s",
            self.where,
            signature,
            len(next(iter(inputs.values()))),
            f"{len(body):,}",
            f"{len(data):,}",
            1000 * (time.perf_counter() - start),
            f", attempt {attempt}" if attempt > 1 else "",
        )
        return self._decode(data, output)

    def close(self):
        """Closes the connections."""
        raise NotImplementedError

    def _encode(self, signature, inputs, output):
        raise NotImplementedError

    def _send(self, body, signature, end):
        raise NotImplementedError

    def _decode(self, data, output):
        raise NotImplementedError
