"""What a server says of versions and labels, read from answers of both servers' forms."""

import contextlib
import http.server
import json
import socket
import threading

import pytest

from gan_keras.client import server_status
from gan_keras.client.server_status import ServerStatus
from gan_keras.errors import UsageError, UserError

MODEL = "/v1/models/generator"
LINE = {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
ANSWERS = {
    f"{MODEL}/versions/2": (200, {"model_version_status": [LINE]}),
    f"{MODEL}/versions/3": (404, {"error": "no version 3"}),
    f"{MODEL}/versions/4": (200, {"model_version_status": []}),
    f"{MODEL}/versions/5": (503, None),
    f"{MODEL}/labels/stable/metadata": (200, {"model_spec": {"name": "x", "version": "2"}}),
    f"{MODEL}/labels/strange/metadata": (200, {"model_spec": "x"}),
    f"{MODEL}/labels/none/metadata": (400, {"error": "Unrecognized servable version label"}),
}


@pytest.fixture(scope="module")
def asked():
    """A server's address, and what it was asked: path and headers."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers))
            status, answer = ANSWERS[self.path]
            body = b"<html>" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def test_states(asked):
    status = ServerStatus(asked[0], "generator")
    found = [status.state(version) for version in (2, 3, 4, 5)]
    assert found == ["AVAILABLE", "no version 3", "HTTP 200", "HTTP 503"]


def test_labels(asked):
    status = ServerStatus(f"http://{asked[0]}", "generator")
    assert [status.labelled(label) for label in ("stable", "strange", "none")] == [2, None, None]


def test_the_token_is_sent(asked):
    where, seen = asked
    assert ServerStatus(where, "generator", token="secret").state(2) == "AVAILABLE"
    assert seen[-1][1]["Authorization"] == "Bearer secret"
    ServerStatus(where, "generator").state(2)
    assert "Authorization" not in seen[-1][1]


def test_what_cannot_be_asked_is_one_line(asked):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        free = f"127.0.0.1:{taken.getsockname()[1]}"
    for server, more in (
        (free, {}),
        (asked[0], {"tls": True}),  # it speaks no TLS
        ("127.0.0.1:x", {}),
    ):
        with pytest.raises(UserError, match=f"--server={server}: cannot be asked: ") as error:
            ServerStatus(server, "generator", **more).state(2)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"ca_cert": "missing.pem"}, "ca_cert missing.pem cannot be read: No such file"),
        ({"token": "no\nheader"}, "token must be printable ASCII text"),
    ],
)
def test_what_no_server_could_be_asked_with_is_refused_at_once(more, told):
    with pytest.raises(UsageError, match=told):
        ServerStatus("127.0.0.1:1", "generator", **more)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2**20 + 1), "more than 1 MiB"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", "it is compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", "timed out"),
        (b"HTTP/1.1 200 OK\r\n", "timed out"),
    ],
)
def test_what_is_no_answer_is_left(monkeypatch, sent, told):
    """Each byte that drips would begin the wait anew, were it not for the call's own end."""
    monkeypatch.setattr(server_status, "SECONDS", 0.2 if told == "timed out" else 20)
    with once(sent) as where, pytest.raises(UserError, match=f"cannot be asked: .*{told}") as error:
        ServerStatus(where, "generator").state(2)
    assert "\n" not in str(error.value)


def test_nesting_without_end_is_no_answer():
    body = b"[" * 200_000
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with once(sent + body) as where:
        assert ServerStatus(where, "generator").state(2) == "HTTP 200"


@contextlib.contextmanager
def once(sent):
    """A server that sends these bytes at its first connection, and then a blank now and then."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def serve():
            line, _ = server.accept()
            with line, contextlib.suppress(OSError):
                asked = b""
                while not asked.endswith(b"\r\n\r\n"):
                    asked += line.recv(65_536)
                line.sendall(sent)
                while not over.wait(0.02):
                    line.sendall(b" ")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            thread.join()
