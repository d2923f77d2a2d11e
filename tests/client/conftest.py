"""A fake server, a client of it, and a server that sends whatever bytes it is given."""

import contextlib
import socket
import threading

import pytest

from gan_keras.client import transport
from gan_keras.client.client import Client
from tests.client.fakes import PATIENCE, SHORT_PAUSE, FakeGrpc, FakeRest


@pytest.fixture(params=[FakeRest, FakeGrpc], ids=["rest", "grpc"])
def fake(request, monkeypatch):
    monkeypatch.setattr(transport, "FIRST_PAUSE", SHORT_PAUSE)
    with request.param().serving() as fake:
        yield fake


@pytest.fixture
def client(fake):
    with Client(fake.address, transport=fake.transport, timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def raw():
    """Starts a server that sends given bytes at each connection, some now and some later."""
    with contextlib.ExitStack() as ends:

        def start(*parts):
            server = ends.enter_context(socket.create_server(("127.0.0.1", 0)))
            over = threading.Event()

            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        line, _ = server.accept()
                        with line:
                            asked = b""
                            while not asked.endswith(b"}"):  # All, or closing would reset.
                                asked += line.recv(65_536)
                            for part in parts:
                                line.sendall(part)
                                over.wait(0.05 if len(parts) > 5 else 0)

            thread = threading.Thread(target=serve)
            thread.start()
            ends.callback(thread.join)
            ends.callback(lambda: server.shutdown(socket.SHUT_RDWR))
            ends.callback(over.set)
            return f"127.0.0.1:{server.getsockname()[1]}"

        yield start
