"""The client against servers of a few lines, which answer, refuse and hang as they are told."""

import base64
import contextlib
import gzip
import http.server
import json
import socket
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from concurrent import futures

import grpc
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from gan_keras.client import transports
from gan_keras.client.client import Client
from gan_keras.drawing import images
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract

PATIENCE = 20  # seconds; reached only where a test fails
SHORT_PAUSE = 0.01  # seconds between retries; grpc needs more than 1 ms


def picture(seed):
    """A picture that tells its seed."""
    digits = (int(seed) >> np.arange(0, 64, 4)) & 15
    return digits.astype(np.uint8).reshape(4, 4, 1)


def render(latents):
    return np.float32(latents)[:, :4].reshape(-1, 2, 2, 1) * np.float32(0.5)


class Fake:
    """What both servers have in common: the model, what was asked, what goes wrong."""

    def __init__(self):
        self.asked = []  # (signature, input, rows)
        self.failures = []  # (code, text), each for one request
        self.released = threading.Event()
        self.released.set()

    def answer(self, signature, key, rows):
        self.asked.append((signature, key, rows))
        self.released.wait(PATIENCE)
        if signature == contract.PNG_SIGNATURE:
            return [images.encode_png(picture(seed)) for seed in rows]
        return render(rows)

    @property
    def sizes(self):
        return [len(rows) for _, _, rows in self.asked]


class FakeRest(Fake):
    transport = "rest"
    BUSY = (503, 429)
    BAD, MISSING = 400, 404

    @contextlib.contextmanager
    def serving(self):
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                ((key, rows),) = body["inputs"].items()
                rows = np.array(rows, np.int64 if key == contract.SEED else np.float32)
                fake.path = self.path
                values = fake.answer(body["signature_name"], key, rows)
                if fake.failures:
                    status, text = fake.failures.pop(0)
                    reply = text if text.startswith("<") else json.dumps({"error": text})
                else:
                    status, reply = 200, json.dumps({"outputs": fake.coded(values)})
                with contextlib.suppress(ConnectionError):  # a client that gave up
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(reply)))
                    self.end_headers()
                    self.wfile.write(reply.encode())

            def log_message(self, *args):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=[0.01])
            thread.start()
            self.address = f"127.0.0.1:{server.server_port}"
            try:
                yield self
            finally:
                self.released.set()
                server.shutdown()
                thread.join()

    def coded(self, values):
        if isinstance(values, list):
            return [{"b64": base64.b64encode(value).decode()} for value in values]
        return values.tolist()


class FakeGrpc(Fake, prediction_service_pb2_grpc.PredictionServiceServicer):
    transport = "grpc"
    BUSY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    BAD, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND

    def Predict(self, request, context):
        ((key, tensor),) = request.inputs.items()
        kind = "<i8" if key == contract.SEED else "<f4"
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        rows = np.frombuffer(tensor.tensor_content, kind).reshape(shape)
        self.spec = request.model_spec
        values = self.answer(request.model_spec.signature_name, key, rows)
        if self.failures:
            context.abort(*self.failures.pop(0))
        reply = predict_pb2.PredictResponse()
        (output,) = request.output_filter
        self.code(reply.outputs[output], values)
        return reply

    def code(self, tensor, values):
        if isinstance(values, list):
            tensor.string_val.extend(values)
            return
        for size in values.shape:
            tensor.tensor_shape.dim.add(size=size)
        tensor.float_val.extend(values.ravel())

    @contextlib.contextmanager
    def serving(self):
        server = grpc.server(futures.ThreadPoolExecutor(2))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, server)
        self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield self
        finally:
            self.released.set()
            server.stop(None).wait()


@pytest.fixture(params=[FakeRest, FakeGrpc], ids=["rest", "grpc"])
def fake(request, monkeypatch):
    monkeypatch.setattr(transports, "FIRST_PAUSE", SHORT_PAUSE)
    with request.param().serving() as fake:
        yield fake


@pytest.fixture
def client(fake):
    with Client(fake.address, transport=fake.transport, timeout=PATIENCE) as client:
        yield client


def test_pictures_come_in_the_order_of_their_seeds(fake, client):
    pictures = client.sample(count=150, seed=7)
    assert pictures.dtype == np.uint8
    assert_array_equal(pictures, [picture(seed) for seed in range(7, 157)])
    assert fake.sizes == [64, 64, 22]
    assert {asked[:2] for asked in fake.asked} == {(contract.PNG_SIGNATURE, contract.SEED)}


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (64, [64]), (65, [64, 1]), (128, [64, 64])])
def test_no_request_is_too_large_or_empty(fake, client, count, sizes):
    client.sample(count)
    assert fake.sizes == sizes


@pytest.mark.parametrize("seed", [-(2**63), -1, 2**63 - 2])
def test_seeds_reach_both_ends_of_int64(fake, client, seed):
    assert_array_equal(client.sample(2, seed), [picture(seed), picture(seed + 1)])
    assert fake.asked[0][2].tolist() == [seed, seed + 1]


def test_numpys_integers_are_integers(client):
    assert client.sample(np.int32(2), seed=np.int64(3)).shape == (2, 4, 4, 1)


@pytest.mark.parametrize(
    ("count", "seed", "message"),
    [
        (0, 0, "count must be at least 1, not 0"),
        (-1, 0, "count must be at least 1, not -1"),
        (2.0, 0, "count must be an integer, not 2.0"),
        (1, "0", "seed must be an integer, not '0'"),
        (2, 2**63 - 1, "to 9223372036854775806 for 2 pictures, not 9223372036854775807"),
        (1, -(2**63) - 1, "seed must be from -9223372036854775808"),
    ],
)
def test_a_bad_count_or_seed_never_leaves_the_client(fake, client, count, seed, message):
    with pytest.raises(UsageError, match=message):
        client.sample(count, seed)
    assert not fake.asked


def test_latents_become_images_in_order(fake, client):
    latents = np.random.default_rng(0).normal(size=(70, 5)).astype(np.float32)
    pictures = client.generate(latents)
    assert pictures.dtype == np.float32
    assert_array_equal(pictures, render(latents))
    assert fake.sizes == [64, 6]
    assert {asked[:2] for asked in fake.asked} == {(contract.LATENTS_SIGNATURE, contract.LATENTS)}


def test_latents_arrive_bit_for_bit(fake, client):
    latents = np.float32([[1 / 3, 1e-30, -3.4e38, 0.1]])
    client.generate(latents)
    assert_array_equal(fake.asked[0][2], latents)


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (np.zeros((0, 5)), r"latents must be \(n, latent_dim\), none of them 0, not \(0, 5\)"),
        (np.zeros(5), r"latents must be \(n, latent_dim\), none of them 0, not \(5,\)"),
        ([[0.0, np.nan]], "latents must be finite"),
    ],
)
def test_bad_latents_never_leave_the_client(fake, client, latents, message):
    with pytest.raises(UsageError, match=message):
        client.generate(latents)
    assert not fake.asked


@pytest.mark.parametrize("which", [0, 1])
def test_a_busy_server_is_asked_again(fake, client, which):
    fake.failures = [(fake.BUSY[which], "full")] * 3
    assert_array_equal(client.sample(1, 5), [picture(5)])
    assert fake.sizes == [1] * 4


@pytest.mark.parametrize("which", [0, 1])
def test_a_server_that_stays_busy_is_quoted(fake, client, which):
    fake.failures = [(fake.BUSY[which], "the queue is full")] * 9
    with pytest.raises(UserError, match=r"\d over \w+: .*: the queue is full$"):
        client.sample(1)
    assert len(fake.asked) == transports.ATTEMPTS


def test_a_bad_request_is_not_sent_again(fake, client):
    fake.failures = [(fake.BAD, "latents must have\n shape (batch, 5)")]
    with pytest.raises(UserError, match=r": latents must have shape \(batch, 5\)$"):
        client.sample(1)
    assert len(fake.asked) == 1


def test_a_request_that_took_too_long_is_not_sent_again(fake):
    fake.released.clear()
    with (
        Client(fake.address, transport=fake.transport, timeout=0.5) as client,
        pytest.raises(UserError, match=r"no answer within 0.5 s; allow more time"),
    ):
        client.sample(1)
    assert len(fake.asked) == 1


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


def test_the_time_is_for_the_whole_call(fake, monkeypatch):
    """Not for each of its requests."""
    now = [0.0]
    monkeypatch.setattr(transports.time, "monotonic", lambda: now[0])

    def answer(*asked):
        now[0] += 6.0
        return Fake.answer(fake, *asked)

    monkeypatch.setattr(fake, "answer", answer)
    with (
        Client(fake.address, transport=fake.transport, timeout=10) as client,
        pytest.raises(UserError, match="no answer within 10 s"),
    ):
        client.sample(64 * 5)
    assert len(fake.asked) == 2


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
    monkeypatch.setattr(transports, "MAX_REPLY_BYTES", 2**20)
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


@pytest.mark.parametrize("side", [2049, 13_000, 20_000, 2**31 - 1])
def test_a_picture_of_too_many_pixels_is_refused_unread(fake, client, monkeypatch, side):
    file = bytearray(images.encode_png(picture(0)))
    file[16:24] = struct.pack(">II", side, side)
    file[29:33] = struct.pack(">I", zlib.crc32(file[12:29]))
    monkeypatch.setattr(fake, "answer", lambda *asked: [bytes(file)])
    with pytest.raises(UserError, match=f"a picture of {side}x{side} pixels"):
        client.sample(1)


def test_a_missing_model_is_named(fake):
    fake.failures = [(fake.MISSING, "Servable not found for request: Latest(ganerator)")]
    with (
        Client(fake.address, transport=fake.transport, model="ganerator") as client,
        pytest.raises(UserError, match=r"no model `ganerator`.*Latest\(ganerator\); check"),
    ):
        client.sample(1)


def test_a_missing_signature_is_named_with_the_remedy(fake, client):
    fake.failures = [(fake.BAD, 'Serving signature key "png" not found.')]
    with pytest.raises(
        UserError, match=r"`png` is there if `generator` comes from gan-keras-export"
    ):
        client.sample(1)


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


def test_version_and_label_are_asked_for(fake):
    with Client(fake.address, fake.transport, version=0) as client:
        client.sample(1)
        if fake.transport == "rest":
            assert fake.path == "/v1/models/generator/versions/0:predict"
        else:
            assert fake.spec.HasField("version")
            assert fake.spec.version.value == 0
    with Client(fake.address, fake.transport, version_label="stable") as client:
        client.sample(1)
        if fake.transport == "rest":
            assert fake.path == "/v1/models/generator/labels/stable:predict"
        else:
            assert fake.spec.version_label == "stable"
    with Client(fake.address, fake.transport) as client:
        client.sample(1)
        if fake.transport == "rest":
            assert fake.path == "/v1/models/generator:predict"
        else:
            assert fake.spec.WhichOneof("version_choice") is None


def test_threads_may_share_a_client(client):
    with futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda seed: client.sample(3, seed), range(24)))
    for seed, pictures in enumerate(results):
        assert_array_equal(pictures, [picture(seed + i) for i in range(3)])


def test_replies_may_pass_grpcs_four_mebibytes():
    class Large(FakeGrpc):
        def code(self, tensor, values):
            for size in (64, 128, 128, 3):
                tensor.tensor_shape.dim.add(size=size)
            tensor.tensor_content = np.arange(64 * 128 * 128 * 3, dtype="<f4").tobytes()

    with Large().serving() as fake, Client(fake.address) as client:
        pictures = client.generate(np.zeros((64, 4)))
    assert_array_equal(pictures.ravel(), np.arange(64 * 128 * 128 * 3, dtype=np.float32))


def test_grpcs_repeated_number_is_spread():
    class Black(FakeGrpc):
        def code(self, tensor, values):
            for size in (2, 4, 4, 1):
                tensor.tensor_shape.dim.add(size=size)
            tensor.float_val.append(-1)

    with Black().serving() as fake, Client(fake.address) as client:
        assert_array_equal(client.generate(np.zeros((2, 4))), np.full((2, 4, 4, 1), -1.0))


def test_a_web_server_that_is_no_model_server_is_noticed():
    with FakeRest().serving() as fake, Client(fake.address, "rest") as client:
        fake.failures = [(404, "<h1>nothing here</h1>")]
        with pytest.raises(UserError, match=r"HTTP 404 .*is it TensorFlow Serving"):
            client.sample(1)


def test_a_grpc_server_that_is_no_model_server_is_noticed():
    server = grpc.server(futures.ThreadPoolExecutor(1))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        with Client(address) as client, pytest.raises(UserError, match="is it TensorFlow Serving"):
            client.sample(1)
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize(
    ("server", "transport", "remedy"),
    [
        (FakeGrpc, "rest", r"does not speak HTTP/1.1.*transport grpc.*8501"),
        (FakeRest, "grpc", r"does not speak HTTP/2.*transport rest.*8500"),
    ],
)
def test_the_other_transports_port_is_noticed(monkeypatch, server, transport, remedy):
    monkeypatch.setattr(transports, "FIRST_PAUSE", SHORT_PAUSE)
    with (
        server().serving() as fake,
        Client(fake.address, transport) as client,
        pytest.raises(UserError, match=remedy),
    ):
        client.sample(1)


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_nobody_there_is_told_with_the_address_and_the_ports(monkeypatch, transport):
    monkeypatch.setattr(transports, "FIRST_PAUSE", SHORT_PAUSE)
    with (
        Client("127.0.0.1:1", transport) as client,
        pytest.raises(
            UserError,
            match=rf"^127.0.0.1:1 over {transport} cannot be reached: .*refused.*8500 is gRPC",
        ),
    ):
        client.sample(1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"server": "http://127.0.0.1:8501"}, "server must be HOST:PORT, not 'http://127"),
        ({"server": "127.0.0.1"}, "server must be HOST:PORT"),
        ({"server": "127.0.0.1:70000"}, "server must be HOST:PORT"),
        ({"transport": "soap"}, "transport must be one of grpc, rest, not 'soap'"),
        ({"model": ""}, "model must not be empty"),
        ({"timeout": 0}, "timeout must be seconds above 0, not 0"),
        ({"timeout": float("inf")}, "timeout must be seconds above 0, not inf"),
        ({"version": -1}, "version must be an integer from 0, not -1"),
        ({"version": 1, "version_label": "stable"}, "only one can be asked for"),
        ({"version_label": "not-so"}, "version_label must be made of letters, digits and _"),
    ],
)
def test_bad_arguments_are_named(given, message):
    with pytest.raises(UsageError, match=message):
        Client(**{"server": "127.0.0.1:8501", "transport": "rest"} | given)


def test_rest_imports_neither_tensorflow_nor_grpc():
    script = """
import sys
from gan_keras.client import Client
pictures = Client(sys.argv[1], transport="rest").sample(count=64, seed=0)
assert pictures.shape == (64, 4, 4, 1)
heavy = {"tensorflow", "tensorflow_serving", "grpc", "keras"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    with FakeRest().serving() as fake:
        result = subprocess.run(
            [sys.executable, "-c", script, fake.address],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert (result.stdout, result.stderr) == ("[]\n", "")
