"""TLS and the token, of the server and of the client, over both protocols."""

import contextlib
import shutil
import socket
import ssl
import subprocess

import pytest
import urllib3

from gan_keras.client import Client
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract
from gan_keras.serving import access
from gan_keras.serving.limits import Limits
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import serving

TOKEN = "0123456789abcdef"
OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(not OPENSSL, reason="openssl is not installed")
both = pytest.mark.parametrize("transport", ["grpc", "rest"])


def certify(folder, name, host):
    """Writes a certificate that signs itself, and its key; returns their paths."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            *(OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={host}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Certificates and keys: `server` of 127.0.0.1, `other` of another host."""
    folder = tmp_path_factory.mktemp("tls")
    return {
        "server": certify(folder, "server", "IP:127.0.0.1"),
        "other": certify(folder, "other", "DNS:example.org"),
    }


@pytest.fixture(scope="module")
def guarded(saved, files, tmp_path_factory):
    """A server with TLS and a token; it is asked by clients only, as `ask` is without both."""
    from tests.serving.harness import place

    base = tmp_path_factory.mktemp("guarded") / "generator"
    place(saved / "first", base, 1)
    allowed = access.Access(*files["server"], TOKEN)
    with serving(ModelSettings(contract.MODEL_NAME, base), access=allowed) as running:
        yield running


def client(server, transport, **more):
    return Client(getattr(server, transport), transport, timeout=20, **more)


@needs_openssl
@both
def test_who_has_both_gets_pictures(guarded, files, transport):
    with client(guarded, transport, ca_cert=files["server"][0], token=TOKEN) as asking:
        assert asking.sample(70).shape == (70, 6, 5, 3)
    scheme = next(line for line in guarded.lines if line.startswith("REST on "))
    assert scheme == f"REST on https://{guarded.rest}"
    assert guarded.lines[-1].endswith(" --tls --token_file=FILE")


@needs_openssl
@both
@pytest.mark.parametrize("token", [None, TOKEN[:-1], f"{TOKEN}0"])
def test_without_the_token_nothing_is_answered(guarded, files, transport, token):
    with (
        client(guarded, transport, ca_cert=files["server"][0], token=token) as asking,
        pytest.raises(UserError, match=r"a token is required: .*; give token"),
    ):
        asking.sample(1)


@needs_openssl
def test_silent_handshakes_give_way_to_others(saved, files, base):
    limits = Limits(connections=6, body_seconds=600)
    allowed = access.Access(*files["server"], None)
    with (
        serving(ModelSettings(contract.MODEL_NAME, base), access=allowed, limits=limits) as running,
        contextlib.ExitStack() as stack,
    ):
        host, port = running.rest.split(":")
        silent = [
            stack.enter_context(socket.create_connection((host, int(port)), 30)) for _ in range(20)
        ]
        for _ in range(3):
            with client(running, "rest", ca_cert=files["server"][0]) as asking:
                assert asking.sample(1).shape == (1, 6, 5, 3)
        for closed in silent[:14]:
            with contextlib.suppress(ConnectionResetError):
                assert closed.recv(1) == b""


@needs_openssl
def test_a_request_may_come_with_the_end_of_its_handshake(guarded, files):
    host, port = guarded.rest.split(":")
    received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=files["server"][0])
    tls = context.wrap_bio(received, to_send, server_hostname=host)
    with socket.create_connection((host, int(port)), 30) as connection:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(to_send.read())
                received.write(connection.recv(2**16))
        tls.write(b"GET /v1/models/none HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.sendall(to_send.read())  # both at once
        while True:
            try:
                answer = tls.read()
                break
            except ssl.SSLWantReadError:
                received.write(connection.recv(2**16))
    assert answer.startswith(b"HTTP/1.1 401 ")


@needs_openssl
@both
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(guarded, files, transport):
    for trusted in ({"tls": True}, {"ca_cert": files["other"][0]}):
        with (
            client(guarded, transport, token=TOKEN, **trusted) as asking,
            pytest.raises(UserError, match=r"no TLS connection: .*signed by what ca_cert"),
        ):
            asking.sample(1)


@needs_openssl
@both
def test_a_certificate_of_another_host_is_not_trusted(base, files, transport):
    allowed = access.Access(*files["other"])
    with (
        serving(ModelSettings(contract.MODEL_NAME, base), access=allowed) as served,
        client(served, transport, ca_cert=files["other"][0]) as asking,
        pytest.raises(UserError, match="no TLS connection"),
    ):
        asking.sample(1)


@needs_openssl
@both
def test_without_tls_nothing_is_answered(guarded, transport):
    with client(guarded, transport, token=TOKEN) as asking, pytest.raises(UserError):
        asking.sample(1)


def test_the_token_covers_all_but_the_page(base):
    paths = [
        *("/page/models", "/v1/models/generator", "/v1/models/generator/metadata", "/nothing"),
        "/monitoring/prometheus/metrics",
    ]
    allowed = access.Access(token=TOKEN)
    with serving(ModelSettings(contract.MODEL_NAME, base), access=allowed) as served:
        for path in paths:
            status, answer = served.ask("GET", path)
            assert (status, answer) == (401, {"error": access.REFUSED})
        status, _ = served.ask("POST", "/v1/models/generator:predict", {"instances": [1]})
        assert status == 401
        page = urllib3.request("GET", f"http://{served.rest}/")
        assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        headers = {"Authorization": f"bearer {TOKEN}"}
        assert served.ask("GET", "/v1/models/generator", headers=headers)[0] == 200
        with Client(served.grpc, token=TOKEN) as asking:
            assert asking.sample(1).shape == (1, 6, 5, 3)


@pytest.mark.parametrize(
    ("authorization", "admitted"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer  {TOKEN} ", True),
        (f"Basic {TOKEN}", False),
        (TOKEN, False),
        ("Bearer", False),
        ("", False),
        (None, False),
        ("Bearer é", False),
        ("Bearer \udcff", False),  # as aiohttp hands over a byte that is no UTF-8
    ],
)
def test_what_brings_the_token(authorization, admitted):
    assert access.Access(token=TOKEN).admits(authorization) is admitted


@needs_openssl
def test_files_that_are_no_pair_are_named(files, tmp_path):
    (certificate, key), (_, other) = files["server"], files["other"]
    text = tmp_path / "text.pem"
    text.write_text("nothing")
    for pair in ((certificate, other), (text, key), (certificate, text), (key, certificate)):
        with pytest.raises(UsageError, match=f"--ssl_cert={pair[0]} and --ssl_key={pair[1]}: no"):
            access.Access(*pair)
    with pytest.raises(UsageError, match=f"ca_cert {text}: no certificate in PEM"):
        Client("127.0.0.1:1", ca_cert=text)
    with pytest.raises(UsageError, match="ca_cert /nowhere cannot be read: No such file"):
        Client("127.0.0.1:1", ca_cert="/nowhere")
