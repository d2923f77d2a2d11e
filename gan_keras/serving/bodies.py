"""The bodies that one protocol receives: bounded in size, time, number, and memory together."""

import asyncio
import contextlib

import grpc

from gan_keras.serving.request_error import RequestError

SHARE = 8  # full-size bodies that may be in memory at a time


class BodyTooLarge(Exception):
    """A body has more bytes than one request may have."""


class Bodies:
    """What peers are still sending, and what they have sent until it is answered.

    A peer that sends nothing holds nobody up: where there are too many bodies to come, the one
    that has been coming for longest is given up; where they take too much memory, the largest.
    Everything happens in the event loop.

    Args:
        limits: The Limits.
        most: Bodies that may be on their way at a time.
    """

    def __init__(self, limits, most):
        self._limits, self._most = limits, most
        self._coming = {}  # of _Body, the oldest first
        self._bytes = 0

    @contextlib.asynccontextmanager
    async def receive(self, next_chunk):
        """Receives one body; its bytes are counted until the block ends.

        Args:
            next_chunk: Called for an awaitable of the next bytes; b"" means the end.

        Yields:
            The body, a bytearray.

        Raises:
            BodyTooLarge: it is larger than `limits.body_bytes`.
            RequestError: it came too slowly, or took what others need.
        """
        body = _Body(self._limits.body_seconds)
        try:
            await self._read(body, next_chunk)
            yield body.data
        finally:
            self._bytes -= body.counted

    async def _read(self, body, next_chunk):
        if len(self._coming) >= self._most:
            self._give_up(next(iter(self._coming)))
        self._coming[body] = None
        try:
            async with body.clock:
                while chunk := await next_chunk():
                    body.data += chunk
                    body.counted += len(chunk)
                    self._bytes += len(chunk)
                    if len(body.data) > self._limits.body_bytes:
                        raise BodyTooLarge
                    self._make_room(body)
        except TimeoutError:
            if body.given_up:
                raise _full() from None
            if not body.clock.expired():
                raise
            raise RequestError(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"the body: not here within {self._limits.body_seconds:g} s, the longest that this"
                " server waits",
            ) from None
        finally:
            self._coming.pop(body, None)

    def _make_room(self, newest):
        while self._bytes > SHARE * self._limits.body_bytes:
            largest = max(self._coming, key=lambda body: body.counted)
            if largest is newest:
                raise _full()
            self._give_up(largest)

    def _give_up(self, body):
        del self._coming[body]
        body.given_up = True
        self._bytes -= body.counted
        body.counted = 0
        body.data = bytearray()
        body.clock.reschedule(asyncio.get_running_loop().time())


class _Body:
    def __init__(self, seconds):
        self.data, self.counted, self.given_up = bytearray(), 0, False
        self.clock = asyncio.timeout(seconds)


def _full():
    return RequestError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "too many requests are on their way to this server; ask again later",
    )
