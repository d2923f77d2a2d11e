"""Ports for servers in other processes."""

import socket

_held = []  # Until the tests end: a few descriptors.


def held_ports(count):
    """Returns ports of 127.0.0.1 that only who asks for them by number can get.

    They are bound, but nobody listens. A server, which sets SO_REUSEADDR, may bind and listen
    there; to who asks for any port, the operating system gives another.
    """
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind(("127.0.0.1", 0))
    _held.extend(sockets)
    return [each.getsockname()[1] for each in sockets]
