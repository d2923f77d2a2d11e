"""The ports, the one loop, and the way out."""

import asyncio
import concurrent.futures
import contextlib
import socket

import grpc
import pytest
import tensorflow as tf
import urllib3
from tensorflow_serving.apis import predict_pb2

from gan_keras.errors import UserError
from gan_keras.exporting import contract
from gan_keras.serving import servable, server
from gan_keras.serving.batches import LARGE
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import listener, serving, until


def sample(model=contract.MODEL_NAME, rows=1):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "sample"
    request.inputs["seed"].CopyFrom(tf.make_tensor_proto([7] * rows, tf.int64))
    return request


def test_open_requests_are_answered_before_the_end(base, gate):
    opened, waiting = gate
    body = {"signature_name": "sample", "instances": [7]}
    with (
        concurrent.futures.ThreadPoolExecutor() as pool,
        serving(ModelSettings(contract.MODEL_NAME, base)) as served,
    ):
        try:
            over_rest = pool.submit(served.ask, "POST", "/v1/models/generator:predict", body)
            not_joined = sample(rows=LARGE + 1)
            over_grpc = pool.submit(served.predict.Predict, not_joined, timeout=30)
            until(lambda: len(waiting) == 2)
            # Meanwhile others are answered, by the loop and by a free worker.
            assert served.ask("GET", "/v1/models/generator")[0] == 200
            other = {"signature_name": "png", "instances": [7]}
            assert served.ask("POST", "/v1/models/generator:predict", other)[0] == 200
            served.end()
            until(lambda: served.lines[-1] == "stopping: open requests are answered first")
            host, port = served.rest.split(":")

            def closed():
                with contextlib.suppress(ConnectionRefusedError), socket.socket() as probe:
                    probe.connect((host, int(port)))
                    return False
                return True

            until(closed)
            assert not over_rest.done()
            assert not over_grpc.done()
        finally:
            opened.set()
        status, answer = over_rest.result()
        pictures = tf.make_ndarray(over_grpc.result().outputs["images"]).tolist()
        assert (status, answer["predictions"]) == (200, pictures[:1])
        served.thread.join(30)
        assert not served.thread.is_alive()


def test_a_failure_of_the_server_is_told_as_one(base, monkeypatch):
    def failing(self, *arguments, **more):
        raise RuntimeError("a secret")

    monkeypatch.setattr(servable.Signature, "__call__", failing)
    body = {"signature_name": "sample", "instances": [7]}
    with serving(ModelSettings(contract.MODEL_NAME, base)) as served:
        answer = served.ask("POST", "/v1/models/generator:predict", body)
        assert answer == (500, {"error": "the server failed: RuntimeError"})
        with pytest.raises(grpc.RpcError) as error:
            served.predict.Predict(sample())
        assert error.value.code() == grpc.StatusCode.INTERNAL
        assert error.value.details() == "the server failed: RuntimeError"


def test_lines(base):
    with serving(ModelSettings(contract.MODEL_NAME, base)) as served:
        assert served.lines == [
            f"loaded model `generator` version 1 from {base}/1",
            f"gRPC on {served.grpc}",
            f"REST on http://{served.rest}",
            f"next: gan-keras-sample --server={served.grpc}",
        ]
    with serving(ModelSettings("mine", base)) as served:
        assert served.lines[-1] == (f"next: gan-keras-sample --server={served.grpc} --model=mine")


def test_a_port_that_is_off(base):
    settings = ModelSettings(contract.MODEL_NAME, base)
    with serving(settings, ports=("rest",)) as served:
        assert served.ask("GET", "/v1/models/generator")[0] == 200
        assert served.lines[-2:] == [
            f"REST on http://{served.rest}",
            f"next: gan-keras-sample --server={served.rest} --transport=rest",
        ]
        with pytest.raises(grpc.RpcError) as error:
            served.predict.Predict(sample())
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    with serving(settings, ports=("grpc",)) as served:
        assert served.predict.Predict(sample()).model_spec.version.value == 1
        assert served.lines[-2:] == [
            f"gRPC on {served.grpc}",
            f"next: gan-keras-sample --server={served.grpc}",
        ]
        with pytest.raises(urllib3.exceptions.HTTPError):
            served.ask("GET", "/v1/models/generator")


def test_reserve():
    assert server.reserve("127.0.0.1", 0, "port") is None
    taken = listener()
    host, port = str(taken).split(":")
    with pytest.raises(UserError) as refused:
        server.reserve(host, int(port), "rest_api_port")
    assert str(refused.value) == (
        f"--rest_api_port={port} on --address=127.0.0.1: Address already in use;"
        " end the other server or give another --rest_api_port"
    )
    taken.socket.close()
    again = server.reserve("localhost", int(port), "rest_api_port")
    assert str(again).endswith(f":{port}")
    again.socket.close()
    for address in ("no such host", "192.0.2.1", "a" * 70 + ".example"):
        with pytest.raises(UserError, match=f"--address={address}"):
            server.reserve(address, int(port), "port")


def test_a_port_in_use_by_a_running_server(served):
    for where, flag in ((served.rest, "rest_api_port"), (served.grpc, "port")):
        host, port = where.split(":")
        with pytest.raises(UserError, match=f"--{flag}={port} .*Address already in use"):
            server.reserve(host, int(port), flag)


def test_a_port_taken_while_the_models_load(base):
    """Two servers started at the same moment can both bind; only one of them can listen."""
    host, port = str(first := listener()).split(":")
    first.socket.close()
    both = [server.reserve(host, int(port), "rest_api_port") for _ in range(2)]
    both[0].socket.listen()
    settings = [ModelSettings(contract.MODEL_NAME, base)]
    said = f"--rest_api_port: {host}:{port}: Address already in use; end the other server"
    with pytest.raises(UserError, match=said):
        asyncio.run(server.serve(settings, None, both[1], 1, asyncio.Event()))
    for each in both:
        each.socket.close()
