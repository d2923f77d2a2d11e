"""REST's connections: how many there may be, and replies that nobody reads."""

import asyncio
import contextlib
import functools

from gan_keras.serving.reports import rarely

BATCH = 16  # connections accepted at a time, hence descriptors beyond the limit for a moment
BACKLOG = 512  # connections that the kernel keeps until they are accepted
WATCH_SECONDS = 1.0


class Connections:
    """The open connections, in the order in which they began to wait for their client.

    A client that sends nothing, or reads nothing, keeps nobody out: where one connection more
    comes than there may be, the one that has waited longest is closed. Everything happens in
    the event loop.

    Args:
        limits: The Limits.
    """

    def __init__(self, limits):
        self._most, self._seconds = limits.connections, limits.send_seconds
        self._handshake = limits.body_seconds
        # By their transports: aiohttp lets go of one that it has closed, but the connection is open
        # until its client has read what is on the way.
        self._answered = set()  # those whose request is complete
        self._waiting = {}  # the others, in order: since when a rest is to be sent, or None

    async def listen(self, bound, server, context=None):
        """Returns the asyncio.Server that accepts connections for an aiohttp server.

        Args:
            bound: The bound socket.
            server: The aiohttp server.
            context: The ssl.SSLContext; None for no TLS. A connection counts when its handshake
                is done, for which it has as long as for its headers.

        Raises:
            OSError: the port is taken.
        """
        factory = functools.partial(_Accepted, self, server)
        accepting = await asyncio.get_running_loop().create_server(
            factory,
            sock=bound,
            backlog=BATCH,
            ssl=context,
            ssl_handshake_timeout=self._handshake if context else None,
            ssl_shutdown_timeout=self._seconds if context else None,
        )
        bound.listen(BACKLOG)
        return accepting

    def add(self, transport):
        """Counts a new connection; closes another if need be."""
        if self.count() >= self._most:
            self._forget_closed()
        if self.count() >= self._most:
            rarely("connections", "REST: %d connections, the most; idle ones close", self._most)
            # Without one that waits, all are being answered: then the newcomer has to go.
            oldest = next(iter(self._waiting), transport)
            self._waiting.pop(oldest, None)
            oldest.abort()
            if oldest is transport:
                return
        self._waiting[transport] = None

    def count(self):
        """How many connections are open."""
        return len(self._waiting) + len(self._answered)

    @contextlib.contextmanager
    def answering(self, transport):
        """While its complete request is answered, a connection does not wait for its client.

        Args:
            transport: The connection's; None for one that was lost meanwhile.
        """
        since = self._waiting.pop(transport, None)
        self._answered.add(transport)
        try:
            yield
        finally:
            self._answered.discard(transport)
            if transport and _is_open(transport):
                self._waiting[transport] = since

    async def watch(self):
        """Closes for ever what `close_unread` finds."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self.close_unread(asyncio.get_running_loop().time())

    def close_unread(self, now):
        """Closes connections whose reply has waited for longer than `limits.send_seconds`.

        Args:
            now: The time, in seconds.
        """
        self._forget_closed()
        for transport, since in list(self._waiting.items()):
            # What closes and is still open has a rest to send.
            if not (transport.is_closing() or transport.get_write_buffer_size()):
                self._waiting[transport] = None
            elif since is None:
                self._waiting[transport] = now
            elif now - since > self._seconds:
                transport.abort()
                del self._waiting[transport]

    def _forget_closed(self):
        self._waiting = {each: at for each, at in self._waiting.items() if _is_open(each)}


def _is_open(transport):
    socket = transport.get_extra_info("socket")  # None of TLS that is over
    return socket is not None and socket.fileno() >= 0


class _Accepted(asyncio.Protocol):
    """Hands a connection over to aiohttp as soon as it is open."""

    def __init__(self, connections, server):
        self._connections, self._server = connections, server

    def connection_made(self, transport):
        handler = self._server()
        transport.set_protocol(handler)
        handler.connection_made(transport)
        self._connections.add(transport)
