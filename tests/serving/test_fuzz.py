"""No request makes the embedded server blame itself. The long form is in tests/faults/."""

import socket
from urllib.parse import urlsplit

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2

from gan_keras.serving.servable import Servable
from tests.serving import fuzz

SHORT = settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", params=["first", "odd"])
def servable(saved, request):
    return Servable(request.param, 1, saved / request.param)


def test_rest_bodies(servable):
    SHORT(given(fuzz.BODIES)(lambda body: fuzz.ask_rest(servable, body)))()


def test_grpc_messages(servable):
    SHORT(given(fuzz.MESSAGES)(lambda raw: fuzz.ask_grpc(servable, raw)))()


def test_bytes_that_are_no_message(served):
    """grpc itself would say UNKNOWN, or INTERNAL."""
    with grpc.insecure_channel(served.grpc) as channel:
        for method in ("PredictionService/Predict", "ModelService/GetModelStatus"):
            call = channel.unary_unary(f"/tensorflow.serving.{method}")
            for raw in (b"\xff", b"\x0a\x05abc", b"\x0a\x03\x0a\x01\xff"):
                with pytest.raises(grpc.RpcError) as refused:
                    call(raw, timeout=30)
                assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
                assert "not a message of this method" in refused.value.details()


@pytest.mark.parametrize("name", ["a" * 50_000, "ä" * 20_000, "\U0001f600" * 9_000, "a\r\nb\0"])
def test_a_name_of_any_length_fits_the_answer(served, name):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = name
    with pytest.raises(grpc.RpcError) as refused:
        served.predict.Predict(message, timeout=30)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert refused.value.details().startswith(f"there is no model `{name[:99]}")


# Percent signs and dots stay for the server to read: http.client would refuse some of these.
_parts = st.sampled_from(
    [
        "..",
        ".",
        "/",
        "//",
        "%2F",
        "%2f",
        "%2e%2e",
        "%00",
        "%25",
        "%5C",
        "\\",
        ":",
        "%3A",
        "?",
        "#",
        ";",
        "~",
        "*",
        "%",
        "%ff",
        "%zz",
        "file://",
        "C:",
        "etc",
        "passwd",
        "v1",
        "models",
        "generator",
        "versions",
        "labels",
        "1",
        "2",
        "-1",
        "01",
        "999",
        "stable",
        "metadata",
        "predict",
        "saved_model.pb",
        "variables",
        "assets.extra",
    ]
)
TARGETS = st.lists(_parts, max_size=9).map("".join) | st.lists(_parts, max_size=9).map("/".join)
PREFIXES = st.sampled_from(["", "/", "/v1/models/", "/v1/models/generator/", "http://a/v1/models/"])


def exchange(connection, target, method=b"GET"):
    """Sends one request line over an open connection; returns the status and the body."""
    host = b"Host: a\r\n"
    connection.sendall(method + b" " + target.encode() + b" HTTP/1.1\r\n" + host + b"\r\n")
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65_536)
        assert more, "closed without an answer"
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        body += connection.recv(65_536)
    return int(head.split(b" ", 2)[1]), body, fields.get(b"connection") == b"close"


def connected(served):
    host, port = served.rest.split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def test_targets(served):
    """Paths are looked up, never opened: nothing but status and metadata ever comes back."""
    answered = []

    @SHORT
    @given(PREFIXES, TARGETS)
    def ask(prefix, target):
        with connected(served) as connection:
            path = f"{prefix}{target}" or "/"
            status, body, _ = exchange(connection, path)
        assert status in (200, 400, 404, 405), body
        if status == 200 and body.startswith(b"<!doctype html>"):
            assert urlsplit(path).path.strip("/") == ""
        elif status == 200:
            assert body.lstrip().startswith(b"{")
            assert b"model_version_status" in body or b"model_spec" in body
            answered.append(target)

    ask()


@pytest.mark.parametrize(
    "target",
    [
        "/v1/models/generator/../../../secret",
        "/v1/models/../generator",
        "/v1/models/..%2f..%2fsecret",
        "/v1/models/%2e%2e/generator",
        "/v1/models/generator%2Fversions%2F1",
        "/v1/models/generator%2fmetadata",
        "/v1/models/generator%00",
        "/v1/models/generator/versions/..%2f..%2fsecret",
        "/v1/models/generator/versions/1%2f..%2fsecret",
        "/v1/models/generator/versions/1%00",
        "/v1/models/generator/versions/1/../secret",
        "/v1/models/generator/versions/1/saved_model.pb",
        "/v1/models/generator/labels/..",
        "/v1/models//etc/passwd",
        "//etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "/v1/models/generator\\..\\secret",
    ],
)
def test_paths_out_of_the_models_folder(served, target):
    with connected(served) as connection:
        status, body, _ = exchange(connection, target)
    # A label is looked up in no folder; the status is the model's whatever it is.
    assert status in (400, 404) or b"model_version_status" in body
    assert b"root:" not in body


def test_names_out_of_the_models_folder(served):
    """Over gRPC a name needs no encoding at all."""
    for name in ("../generator", "/etc/passwd", "generator/../odd", "generator\0", ".", ""):
        message = predict_pb2.PredictRequest()
        message.model_spec.name = name
        with pytest.raises(grpc.RpcError) as refused:
            served.predict.Predict(message, timeout=30)
        expected = grpc.StatusCode.NOT_FOUND if name else grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.code() == expected
