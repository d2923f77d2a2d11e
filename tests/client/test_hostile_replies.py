"""Replies that lie, drip, swell or are none: one line each, in bounded time and memory."""

import gzip
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest

from gan_keras.client import transport
from gan_keras.client.client import Client
from gan_keras.drawing import images
from gan_keras.errors import UserError
from tests.client.fakes import Fake, FakeGrpc, picture

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n"


@pytest.mark.parametrize("beginning", [b"", HEADERS, HEADERS + b"\r\n"])
def test_a_server_that_drips_is_waited_for_no_longer_than_allowed(raw, beginning):
    """A byte now and then: each wait is short, and together they would take 50 s."""
    address = raw(beginning, *[b"x"] * 1000)
    start = time.monotonic()
    with (
        Client(address, "rest", timeout=0.4) as client,
        pytest.raises(UserError, match=r"no answer within 0.4 s; allow more time"),
    ):
        client.sample(1)
    assert 0.4 <= time.monotonic() - start < 5


def reply(body, *headers):
    return b"\r\n".join(
        [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body]
    )


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (reply(gzip.compress(bytes(2**24)), b"Content-Encoding: gzip"), "it is compressed"),
        (reply(b"[" * 100_000), "recursion"),
        (reply(b"5"), "not subscriptable"),
        (reply(b'{"outputs": 5}'), "not iterable"),
        (reply(b'{"outputs": [5]}'), "not subscriptable"),
        (reply(b'{"outputs": [{"b64": "!"}]}'), "base64"),
        (reply(b'{"outputs": [' + b"[]," * 2**24 + b"[]]}"), "more than 16,777,216 values"),
    ],
)
def test_a_reply_that_is_none_is_one_line(raw, sent, told):
    with Client(raw(sent), "rest") as client, pytest.raises(UserError) as caught:
        client.sample(1)
    message = str(caught.value)
    assert "gave an answer that is not this API's: " in message
    assert told in message.lower()
    assert len(message) < 500


def test_scalars_in_place_of_pictures_are_one_line(raw):
    with (
        Client(raw(reply(b'{"outputs": 5}')), "rest") as client,
        pytest.raises(UserError, match="gave an answer that is not this API's"),
    ):
        client.generate(np.zeros((1, 4)))


def test_a_reply_without_end_is_left(raw, monkeypatch):
    monkeypatch.setattr(transport, "MAX_REPLY_BYTES", 2**20)
    address = raw(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2**21))
    with Client(address, "rest") as client, pytest.raises(UserError, match="more than 1 MiB"):
        client.sample(1)


@pytest.mark.parametrize("shape", [(1, 2**29), (1, 2**40, 2**40), (1, -4)])
def test_a_shape_that_memory_does_not_hold_is_refused_before_it_is_taken(shape):
    class Huge(FakeGrpc):
        def code(self, tensor, values):
            for size in shape:
                tensor.tensor_shape.dim.add(size=size)
            tensor.float_val.append(-1)

    tracemalloc.start()
    with (
        Huge().serving() as fake,
        Client(fake.address) as client,
        pytest.raises(UserError, match="a tensor of the shape"),
    ):
        client.generate(np.zeros((1, 4)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**24


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


TEXT = chunk(b"tEXt", b"a\0b")
SMALL = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("before", [b"", TEXT, SMALL])
@pytest.mark.parametrize("side", [2049, 13_000, 20_000, 2**31 - 1])
def test_a_picture_of_too_many_pixels_is_refused_unread(fake, client, monkeypatch, side, before):
    large = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    file = images.encode_png(picture(0)).replace(SMALL, before + large)
    monkeypatch.setattr(fake, "answer", lambda *asked: [file])
    with pytest.raises(UserError, match=f"a picture of {side}x{side} pixels"):
        client.sample(1)


def test_pictures_that_take_too_long_to_decode_are_given_up(fake, client, monkeypatch):
    now, decoded = time.monotonic(), []

    def slow(file, most_pixels):
        decoded.append(file)
        monkeypatch.setattr(time, "monotonic", lambda: now + 1e6)
        return picture(0)

    monkeypatch.setattr(images, "decode_png", slow)
    with pytest.raises(UserError, match="no answer within"):
        client.sample(2)
    assert len(decoded) == 1


def test_long_complaints_are_cut(fake, client):
    fake.failures = [(fake.BAD, "very " * 1000)]
    with pytest.raises(UserError) as caught:
        client.sample(1)
    assert len(str(caught.value)) < 400


def test_too_few_answers_are_not_taken_for_all(fake, client, monkeypatch):
    monkeypatch.setattr(fake, "answer", lambda *asked: Fake.answer(fake, *asked)[1:])
    with pytest.raises(UserError, match="answered 3 rows of `png` with 2"):
        client.sample(3)


def test_an_answer_that_is_no_picture_is_refused(fake, client, monkeypatch):
    monkeypatch.setattr(fake, "answer", lambda *asked: [b"GIF89a"])
    with pytest.raises(UserError, match=r"6 bytes that are no whole PNG.*gan-keras-export"):
        client.sample(1)
