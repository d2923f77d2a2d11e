"""Peers that send nothing, too much, or read nothing: all others are answered beside them."""

import asyncio
import contextlib
import gzip
import logging
import socket
import threading
import tracemalloc
from types import SimpleNamespace

import grpc
import pytest

from gan_keras.exporting import contract
from gan_keras.serving import bodies, connections, json_tensors, limits, reports, rest
from gan_keras.serving.limits import Limits
from gan_keras.serving.request_error import RequestError
from gan_keras.serving.servable import Servable
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import place, serving, until
from tests.serving.test_server import sample

PREDICT = "/v1/models/generator:predict"
BODY = {"signature_name": "sample", "instances": [7]}
HEADERS_ONLY = f"POST {PREDICT} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n".encode()
STREAM = "/tensorflow.serving.PredictionService/Predict"


@pytest.fixture(scope="module")
def model(saved, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    place(saved / "first", folder / "generator", 1)
    return ModelSettings(contract.MODEL_NAME, folder / "generator")


@contextlib.contextmanager
def sockets(where, count, sent=b""):
    """So many open connections, each of which has sent these bytes."""
    host, port = where.split(":")
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(stack.enter_context(socket.create_connection((host, int(port)), 30)))
            made[-1].sendall(sent)
        yield made


def answered(running):
    """Asserts that both protocols answer."""
    assert running.ask("POST", PREDICT, BODY)[0] == 200
    assert running.predict.Predict(sample(), timeout=30).outputs


# Unpacked these are 8 MiB; what they hold grows when it is parsed.
BOMBS = {
    "lists": b'{"signature_name":"sample","instances":[' + b"[]," * 2_790_000 + b"[]]}",
    "numbers": b'{"signature_name":"sample","inputs":[' + b"1e9," * 500_000 + b"1]}",
    "nested": b'{"instances":[' + b"[[1]]," * 13_000 + b"1]}",
    "keys": b'{"instances":[{' + b",".join(b'"%x":.5' % n for n in range(500_000)) + b"}]}",
    "objects": b'{"inputs":[' + b'{"":0},' * 29_000 + b"0]}",
    "wide": b'{"inputs":["' + "\U0001f600".encode() + b"a" * 8_300_000 + b'"]}',
}
MOST = 96 * 2**20  # bytes for one body, as serving/README.md says


@pytest.mark.parametrize("name", BOMBS)
def test_memory_of_one_body(saved, name):
    servable, body = Servable("generator", 1, saved / "first"), bytearray(BOMBS[name])
    assert len(body) <= Limits().body_bytes
    tracemalloc.start()
    try:
        with pytest.raises(RequestError) as refused:
            rest._parsed(servable, Limits(), body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert peak < MOST


def test_a_bomb_is_refused_before_it_is_parsed(model, monkeypatch):
    def parsed(text):
        raise AssertionError("parsed")

    with serving(model) as running:
        monkeypatch.setattr(json_tensors, "json", SimpleNamespace(loads=parsed))
        packed = gzip.compress(BOMBS["lists"])
        assert len(packed) < 10_000
        status, answer = running.ask("POST", PREDICT, packed, headers={"Content-Encoding": "gzip"})
        assert (status, answer["error"]) == (400, "the body has more than 524,288 values")


def test_values_are_those_of_the_largest_request_that_rows_allow():
    """64 rows of 4,096 latents pass."""
    row = b"[" + b",".join([b"-0.1234567890123456789"] * 4096) + b"]"
    body = b'{"instances":[' + b",".join([row] * 64) + b"]}"
    assert len(body) <= Limits().body_bytes
    assert len(json_tensors.parse(body, Limits().values)["instances"]) == 64


def test_rows_are_counted_before_there_is_an_object_for_each(saved, monkeypatch):
    def made(signature, value):
        raise AssertionError("an object")

    monkeypatch.setattr(json_tensors, "_named", made)
    servable = Servable("generator", 1, saved / "first")
    body = b'{"signature_name":"sample","instances":[' + b"1," * 64 + b"1]}"
    with pytest.raises(RequestError, match="`seed`: 65 rows received, at most 64 expected"):
        rest._parsed(servable, Limits(), body)


def test_headers_without_a_body_take_no_place(model):
    """More of them than there are places, over both protocols at once."""
    with (
        serving(model, limits=Limits(requests=2, body_seconds=600)) as running,
        sockets(running.rest, 8, HEADERS_ONLY),
        silent_streams(running, 8),
    ):
        for _ in range(3):
            answered(running)


@contextlib.contextmanager
def silent_streams(running, count, channels=1):
    """Calls of Predict that never send their message."""
    over = []

    def nothing():
        until(lambda: over)
        return
        yield

    with contextlib.ExitStack() as stack:
        calls = []
        for number in range(channels):
            options = [("grpc.use_local_subchannel_pool", 1), ("number", number)]
            channel = stack.enter_context(grpc.insecure_channel(running.grpc, options=options))
            stub = channel.stream_unary(STREAM)
            calls += [stub.future(nothing()) for _ in range(count)]
        try:
            yield calls
        finally:
            over.append(True)


def test_silent_streams_give_way_to_others(model):
    """Twice `requests` may be on their way; the oldest silent one ends for one more."""
    limits = Limits(requests=3, body_seconds=600)
    with (
        serving(model, limits=limits) as running,
        silent_streams(running, 3, channels=4) as calls,  # 3 streams of a connection
    ):
        until(lambda: sum(call.done() for call in calls) >= 6)
        for _ in range(3):
            answered(running)
        ended = [call for call in calls if call.done()]
        assert {call.code() for call in ended} == {grpc.StatusCode.RESOURCE_EXHAUSTED}


def test_a_silent_stream_ends(model):
    with (
        serving(model, limits=Limits(body_seconds=0.1)) as running,
        silent_streams(running, 1) as calls,
    ):
        assert calls[0].code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert "the body: not here within 0.1 s" in calls[0].details()
        with grpc.insecure_channel(running.grpc) as channel:
            empty = channel.stream_unary(STREAM).future(iter(()))
            assert empty.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert empty.details() == "the message is missing"


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nHo", HEADERS_ONLY])
def test_idle_connections_give_way_to_others(model, sent):
    limits = Limits(connections=6, body_seconds=600)
    with serving(model, limits=limits) as running, sockets(running.rest, 20, sent) as idle:
        for _ in range(3):
            answered(running)
        # The oldest are closed, and one line tells the operator.
        for closed in idle[:14]:
            with contextlib.suppress(ConnectionResetError):
                assert closed.recv(1) == b""
        assert len([line for line in running.complaints if "the most" in line]) <= 1


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nHo"])
def test_headers_that_do_not_come(model, sent):
    with (
        serving(model, limits=Limits(body_seconds=0.2)) as running,
        sockets(running.rest, 1, sent) as idle,
    ):
        assert idle[0].recv(1) == b""


def test_idle_grpc_connections_are_bounded(model):
    """They keep gRPC's own newcomers out until their time is over, and REST not at all."""
    limits = Limits(connections=4, body_seconds=1)
    with serving(model, limits=limits) as running, sockets(running.grpc, 12):
        assert running.ask("POST", PREDICT, BODY)[0] == 200
        assert running.predict.Predict(sample(), timeout=30, wait_for_ready=True).outputs


class Peer:
    """A transport as `Connections` sees it; its own socket."""

    def __init__(self, unread=0):
        self.connected, self.closing, self.unread = True, False, unread

    def get_extra_info(self, name):
        return {"socket": self}[name]

    def fileno(self):
        return 5 if self.connected else -1

    def is_closing(self):
        return self.closing

    def get_write_buffer_size(self):
        return self.unread

    def abort(self):
        self.connected = False


def test_a_reply_that_nobody_reads():
    all_of_them = connections.Connections(Limits(send_seconds=30))
    quick, slow, never = Peer(), Peer(9), Peer(9)
    for each in (quick, slow, never):
        all_of_them.add(each)
    all_of_them.close_unread(100.0)
    all_of_them.close_unread(130.0)
    assert never.connected
    slow.unread = 0
    all_of_them.close_unread(130.1)
    assert (quick.connected, slow.connected, never.connected) == (True, True, False)
    slow.unread = 9  # the next reply has its own time
    all_of_them.close_unread(200.0)
    assert slow.connected
    assert all_of_them.count() == 2


def test_a_connection_that_was_closed_with_an_unread_rest():
    """It is open until the rest is read, whatever aiohttp has closed and forgotten."""
    all_of_them = connections.Connections(Limits(connections=2, send_seconds=30))
    never, gone, newcomer = Peer(9), Peer(), Peer()
    all_of_them.add(never)
    with all_of_them.answering(never):
        never.closing = True
    all_of_them.add(gone)
    gone.connected = False
    all_of_them.close_unread(100.0)
    assert (never.connected, all_of_them.count()) == (True, 1)
    all_of_them.close_unread(130.1)
    assert (never.connected, all_of_them.count()) == (False, 0)
    for each in (Peer(9), Peer(), newcomer):
        each.closing = each.unread > 0
        all_of_them.add(each)
    assert all_of_them.count() == 2  # the oldest had to go, closed as it was
    assert newcomer.connected


@pytest.mark.parametrize("rest", [1, 2**10, 2**16])
def test_an_asyncio_transport_is_open_until_its_rest_is_read(rest):
    async def main():
        ours, theirs = socket.socketpair()
        with theirs:
            all_of_them = connections.Connections(Limits(send_seconds=30))
            transport, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, sock=ours
            )
            all_of_them.add(transport)
            while not transport.get_write_buffer_size():
                transport.write(bytes(rest))
            transport.close()
            all_of_them.close_unread(100.0)
            assert all_of_them.count() == 1
            all_of_them.close_unread(130.1)
            await asyncio.sleep(0)  # asyncio closes the socket in the next round
            assert (ours.fileno(), all_of_them.count()) == (-1, 0)

    asyncio.run(main())


def test_a_client_that_reads_nothing(model, monkeypatch):
    close, closed = connections.Connections.close_unread, []

    def counted(self, now):
        before = self.count()
        close(self, now)
        closed.extend([now] * (before - self.count()))

    monkeypatch.setattr(connections, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(connections.Connections, "close_unread", counted)
    body = b'{"signature_name":"sample","inputs":[' + b"7," * 49_999 + b"7]}"
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    limits = Limits(rows=50_000, send_seconds=0.1)
    with (
        serving(model, limits=limits) as running,
        sockets(running.rest, 1, head.encode() + body) as idle,
    ):
        until(lambda: closed)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while more := idle[0].recv(2**20):
                received += len(more)
        assert received < 50_000 * 6 * 5 * 3 * 2  # bytes of the whole reply, at the least
        answered(running)


def test_connections_that_are_answered_are_not_closed():
    all_of_them = connections.Connections(Limits(connections=2))
    first, second, third, fourth = peers = [Peer() for _ in range(4)]
    all_of_them.add(first)
    all_of_them.add(second)
    with all_of_them.answering(first):
        all_of_them.add(third)
        assert [each.connected for each in peers] == [True, False, True, True]
        with all_of_them.answering(third):
            all_of_them.add(fourth)
            assert [each.connected for each in peers] == [True, False, True, False]
    assert all_of_them.count() == 2


def test_the_largest_body_gives_way():
    """Three bodies of 10 bytes may be here; a small one is let in, whatever the others hold."""

    async def main():
        held = bodies.Bodies(Limits(body_bytes=10, body_seconds=600), 99)
        queues = [asyncio.Queue() for _ in range(5)]

        async def receive(queue):
            async with held.receive(queue.get) as body:
                return bytes(body)

        tasks = [asyncio.create_task(receive(queue)) for queue in queues]
        for queue, size in zip(queues[:4], (7, 9, 6, 8), strict=True):
            queue.put_nowait(b"a" * size)
        await asyncio.sleep(0)
        queues[4].put_nowait(b"bb")
        queues[4].put_nowait(b"")
        assert await tasks[4] == b"bb"
        with pytest.raises(RequestError) as refused:
            await tasks[1]  # the largest
        assert refused.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        for number in (0, 2, 3):
            queues[number].put_nowait(b"")
            await tasks[number]
        assert held._bytes == 0

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bodies, "SHARE", 3)
        asyncio.run(main())


def test_limits_fit_the_descriptors(monkeypatch):
    open_now = 10
    # Not os.listdir itself, which the servers of other tests call in threads of their own.
    listing = SimpleNamespace(listdir=lambda folder: range(open_now))
    monkeypatch.setattr(limits, "os", listing)
    for soft, most in ((1024, 443), (200, 71), (10**6, 512), (-1, 512), (20, 1)):
        monkeypatch.setattr("resource.getrlimit", lambda _, soft=soft: (soft, soft))
        assert Limits().fitted().connections == most


def test_a_failure_is_reported_once_a_minute(caplog, monkeypatch):
    monkeypatch.setattr(reports, "_last", {})
    monkeypatch.setattr(logging.getLogger("gan_keras"), "propagate", True)
    now = [0.0]
    for second in (0, 1, 59, 60, 61):
        now[0] = float(second)
        reports.rarely("one", "it failed: %s", "why", clock=lambda: now[0])
    reports.rarely("other", "another", clock=lambda: now[0])
    here = threading.get_ident()  # Servers of other tests report in theirs.
    assert [record.getMessage() for record in caplog.records if record.thread == here] == [
        "it failed: why",
        "it failed: why (2 more of this kind since the last report)",
        "another",
    ]
