"""A gRPC client that asks and reads nothing: its connection ends, and others are answered."""

import contextlib
import struct

import pytest

from gan_keras.exporting import contract
from gan_keras.serving.limits import Limits
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import place, serving
from tests.serving.test_hostile_peers import STREAM, answered, sockets
from tests.serving.test_server import sample

# RFC 9113: a frame is its length, type, flags and stream, then the payload.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def field(name, value):
    """A header in HPACK, neither indexed nor compressed (RFC 7541, 6.2.2)."""
    return b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def call(message):
    """The bytes that a client of one call sends."""
    headers = {":method": "POST", ":scheme": "http", ":path": STREAM, ":authority": "a"}
    headers |= {"content-type": "application/grpc", "te": "trailers"}
    body = b"\0" + struct.pack(">I", len(message)) + message
    return b"".join(
        [
            PREFACE,
            frame(SETTINGS, 0, 0),
            frame(HEADERS, END_HEADERS, 1, b"".join(field(*item) for item in headers.items())),
            frame(DATA, END_STREAM, 1, body),
        ]
    )


@pytest.fixture
def model(saved, tmp_path):
    place(saved / "first", tmp_path / "generator", 1)
    return ModelSettings(contract.MODEL_NAME, tmp_path / "generator")


def test_a_client_that_answers_no_ping(model):
    with (
        serving(model, limits=Limits(send_seconds=0.2)) as running,
        sockets(running.grpc, 1, call(sample().SerializeToString())) as (silent,),
    ):
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while more := silent.recv(2**16):  # Until the end; a time-out fails the test.
                received += more
        assert b"images" in received
        answered(running)
