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
        # By their sockets, with the transports under TLS: aiohttp lets go of one that it has
        # closed, but the connection is open until its client has read what is on the way.
        self._transports = {}
        self._answered = set()  # those whose request is complete
        self._waiting = {}  # the others, in order: since when a rest is to be sent, or None

    async def listen(self, bound, server, context=None):
        """Returns the asyncio.Server that accepts connections for an aiohttp server.

        Args:
            bound: The bound socket.
            server: The aiohttp server.
            context: The ssl.SSLContext; None for no TLS. A handshake has as long as headers have.

        Raises:
            OSError: the port is taken.
        """
        # TLS begins when a connection has been counted: create_server would do so only after a
        # handshake, and who is silent would take all descriptors.
        secure = context and functools.partial(
            asyncio.get_running_loop().start_tls,
            sslcontext=context,
            server_side=True,
            ssl_handshake_timeout=self._handshake,
            ssl_shutdown_timeout=self._seconds,
        )
        factory = functools.partial(_Accepted, self, server, secure)
        accepting = await asyncio.get_running_loop().create_server(
            factory, sock=bound, backlog=BATCH
        )
        bound.listen(BACKLOG)
        return accepting

    def add(self, transport):
        """Counts a new connection; closes another if need be.

        Args:
            transport: The connection's, before TLS.
        """
        socket = transport.get_extra_info("socket")
        self._transports[socket] = transport
        if self.count() >= self._most:
            self._forget_closed()
        if self.count() >= self._most:
            rarely("connections", "REST: %d connections, the most; idle ones close", self._most)
            # Without one that waits, all are being answered: then the newcomer has to go.
            oldest = next(iter(self._waiting), socket)
            self._close(oldest)
            if oldest is socket:
                return
        self._waiting[socket] = None

    def count(self):
        """How many connections are open."""
        return len(self._waiting) + len(self._answered)

    @contextlib.contextmanager
    def answering(self, transport):
        """While its complete request is answered, a connection does not wait for its client.

        Args:
            transport: The connection's, with or without TLS; None for one that was lost meanwhile.
        """
        socket = transport and transport.get_extra_info("socket")
        since = self._waiting.pop(socket, None)
        self._answered.add(socket)
        try:
            yield
        finally:
            self._answered.discard(socket)
            if socket in self._transports:
                self._waiting[socket] = since

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
        for socket, since in list(self._waiting.items()):
            transport = self._transports[socket]
            # What closes and is still open has a rest to send.
            if not (transport.is_closing() or transport.get_write_buffer_size()):
                self._waiting[socket] = None
            elif since is None:
                self._waiting[socket] = now
            elif now - since > self._seconds:
                self._close(socket)

    def _close(self, socket):
        self._transports.pop(socket).abort()
        self._waiting.pop(socket, None)

    def _forget_closed(self):
        for socket in [each for each in self._waiting if each.fileno() < 0]:
            del self._waiting[socket], self._transports[socket]


class _Accepted(asyncio.Protocol):
    """Counts a connection as soon as it is open, and hands it over to aiohttp once it is secure."""

    def __init__(self, connections, server, secure):
        self._connections, self._server, self._secure = connections, server, secure
        self._early = []  # what came with the last part of the handshake

    def connection_made(self, transport):
        self._connections.add(transport)
        if transport.is_closing():  # There was no room for it.
            return
        if self._secure:
            self._task = asyncio.get_running_loop().create_task(self._hand_over_secured(transport))
        else:
            self._hand_over(transport)

    def data_received(self, data):
        self._early.append(data)

    async def _hand_over_secured(self, transport):
        try:
            secured = await self._secure(transport, self)
        except OSError:  # no TLS, or none that is understood, or not in time
            transport.abort()
        else:
            if secured is not None:  # as of a connection that is lost during its handshake
                self._hand_over(secured)

    def _hand_over(self, transport):
        handler = self._server()
        transport.set_protocol(handler)
        handler.connection_made(transport)
        for data in self._early:
            handler.data_received(data)
