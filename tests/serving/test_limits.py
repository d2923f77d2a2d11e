"""What is too much is refused by its own status, over both protocols, and harms nobody else."""

import concurrent.futures
import contextlib
import gzip
import os
import socket

import grpc
import numpy as np
import pytest
import tensorflow as tf
import urllib3
from tensorflow_serving.apis import predict_pb2

from gan_keras.exporting import contract
from gan_keras.serving import servable, server
from gan_keras.serving.batches import LARGE
from gan_keras.serving.limits import Limits
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import place, serving, until

PREDICT, ODD = "/v1/models/generator:predict", "/v1/models/odd:predict"
THREADS = max(4, os.cpu_count() or 1)
BODY = 10_000  # bytes


def message(signature, model="odd", **inputs):
    made = predict_pb2.PredictRequest()
    made.model_spec.name, made.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        dtype = tf.string if name == "text" else tf.int64
        made.inputs[name].CopyFrom(tf.make_tensor_proto(value, dtype))
    return made


def code(call, *arguments, **more):
    with pytest.raises(grpc.RpcError) as refused:
        call(*arguments, **more)
    return refused.value.code()


@pytest.fixture(scope="module")
def models(saved, tmp_path_factory):
    folder = tmp_path_factory.mktemp("limits")
    place(saved / "first", folder / "generator", 1)
    place(saved / "odd", folder / "odd", 1)
    return tuple(ModelSettings(name, folder / name) for name in (contract.MODEL_NAME, "odd"))


@pytest.fixture(scope="module")
def small(models):
    """A server that takes little."""
    with serving(*models, limits=Limits(body_bytes=BODY, rows=3, seconds=600)) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(models):
    """A server that gives up at once."""
    with serving(*models, limits=Limits(seconds=0.2, body_seconds=2)) as running:
        yield running


def test_rows(small):
    seeds = list(range(4))
    said = "input `seed`: 4 rows received, at most 3 expected"
    for key in ("instances", "inputs"):
        body = {"signature_name": "sample", key: seeds}
        assert small.ask("POST", PREDICT, body) == (400, {"error": said})
        body[key] = seeds[:3]
        assert small.ask("POST", PREDICT, body)[0] == 200
    with pytest.raises(grpc.RpcError) as refused:
        small.predict.Predict(message("sample", contract.MODEL_NAME, seed=seeds))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == said
    small.predict.Predict(message("sample", contract.MODEL_NAME, seed=seeds[:3]))


def test_body(small):
    start = b'{"signature_name": "sample", "instances": [1]'
    exact = start + b" " * (BODY - len(start) - 1) + b"}"
    assert small.ask("POST", PREDICT, exact)[0] == 200
    said = {"error": "the body is larger than 10,000 bytes"}
    for more in ({}, {"chunked": True}):
        assert small.ask("POST", PREDICT, exact + b" ", **more) == (413, said)
    bomb = gzip.compress(b" " * 2**24)
    assert len(bomb) > BODY
    squeezed = gzip.compress(exact + b" ")
    assert len(squeezed) < BODY
    for body in (bomb, squeezed):
        headers = {"Content-Encoding": "gzip"}
        assert small.ask("POST", PREDICT, body, headers=headers) == (413, said)


def test_message(small):
    fits = message("text", text=[b"a" * (BODY // 2)])
    assert small.predict.Predict(fits).outputs["text"].string_val[0][-1:] == b"!"
    too_large = message("text", text=[b"a" * BODY])
    assert code(small.predict.Predict, too_large) == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_claimed_tensor(small):
    """A few bytes may claim a tensor of any size, by one value to repeat."""
    claim = message("wide", wide=np.zeros((1, 1), np.int64))
    size = claim.inputs["wide"].tensor_shape.dim[1]
    claim.inputs["wide"].ClearField("tensor_content")
    claim.inputs["wide"].int64_val[:] = [5]
    size.size = BODY // 8
    assert small.predict.Predict(claim).outputs["rows"].int64_val[0] == 5
    size.size += 1
    with pytest.raises(grpc.RpcError) as refused:
        small.predict.Predict(claim)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "at most 10,000 bytes expected" in refused.value.details()


def test_time(hasty):
    """A graph without an end is ended, so that as many as one likes do not block a thread."""
    forever = 2**62
    for _ in range(THREADS // 2 + 1):
        status, answer = hasty.ask("POST", ODD, {"signature_name": "spin", "instances": [forever]})
        assert status == 504
        assert answer["error"].startswith("not done within 0.2 s")
        call = message("spin", turns=[forever])
        assert code(hasty.predict.Predict, call) == grpc.StatusCode.DEADLINE_EXCEEDED
    # A busy machine may take a few tries.
    short = {"signature_name": "spin", "instances": [3]}
    until(lambda: hasty.ask("POST", ODD, short) == (200, {"predictions": [3]}))


def test_a_caller_that_leaves_takes_a_thread_for_no_longer_than_others(models):
    body = b'{"signature_name": "spin", "instances": [%d]}' % 2**62
    head = f"POST {ODD} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with serving(*models, limits=Limits(seconds=1)) as running:
        for _ in range(THREADS):
            call = running.predict.Predict.future(message("spin", turns=[2**62]), timeout=0.2)
            assert call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        host, port = running.rest.split(":")
        for _ in range(THREADS):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(head + body)
        short = {"signature_name": "spin", "instances": [3]}
        until(lambda: running.ask("POST", ODD, short) == (200, {"predictions": [3]}))


def test_a_body_that_does_not_come(hasty):
    host, port = hasty.rest.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n".encode()
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_overload(models, gate):
    opened, waiting = gate
    seeds = [7] * (LARGE + 1)  # of requests that are not joined
    body = {"signature_name": "sample", "instances": seeds}
    call = message("sample", contract.MODEL_NAME, seed=seeds)
    with (
        concurrent.futures.ThreadPoolExecutor() as pool,
        serving(*models, limits=Limits(requests=THREADS)) as running,
    ):
        try:
            over_rest = pool.submit(running.ask, "POST", PREDICT, body)
            over_grpc = [running.predict.Predict.future(call) for _ in range(THREADS - 1)]
            until(lambda: len(waiting) == THREADS)
            # Who has no place is told so at once, over both protocols.
            for _ in range(5):
                status, answer = running.ask("POST", PREDICT, body)
                assert status == 429
                assert f"{THREADS} requests are under way" in answer["error"]
                full = code(running.predict.Predict, call)
                assert full == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert running.ask("GET", "/v1/models/generator")[0] == 200  # status goes on
        finally:
            opened.set()
        assert over_rest.result()[0] == 200
        assert all(each.result().outputs for each in over_grpc)
        assert running.ask("POST", PREDICT, body)[0] == 200


def test_draining_has_an_end(models, monkeypatch):
    """What does not end in time is cancelled, over both protocols, and holds up nothing."""
    call, begun = servable.Signature.__call__, []

    def counted(self, *arguments, **more):
        begun.append(self)
        return call(self, *arguments, **more)

    monkeypatch.setattr(server, "DRAIN_SECONDS", 0.3)
    with concurrent.futures.ThreadPoolExecutor() as pool, serving(*models) as running:
        monkeypatch.setattr(servable.Signature, "__call__", counted)
        body = {"signature_name": "spin", "instances": [2**62]}
        over_rest = pool.submit(running.ask, "POST", ODD, body)
        over_grpc = running.predict.Predict.future(message("spin", turns=[2**62]))
        until(lambda: len(begun) == 2)
        running.end()
        running.thread.join(30)
        assert not running.thread.is_alive()
        assert over_grpc.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        # Cut off, or told so while its connection is still there.
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            status, body = over_rest.result()
            assert status >= 400, body
