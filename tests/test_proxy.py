"""The proxy in front of TensorFlow Serving: nginx itself, where it is installed with njs."""

import contextlib
import gzip
import http.client
import http.server
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import warnings
from pathlib import Path

import pytest
import urllib3

ROOT = Path(__file__).parent.parent
PROXY = ROOT / "serving" / "proxy"
CONFIG = (PROXY / "nginx.conf").read_text("utf-8")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
MODULES = [
    Path(folder) / "ngx_http_js_module.so"
    for folder in ("/usr/lib/nginx/modules", "/etc/nginx/modules", "/usr/lib64/nginx/modules")
]
MODULE = next((path for path in MODULES if path.is_file()), None)
OPENSSL = shutil.which("openssl")
PATIENCE = 30  # seconds; reached only where a test fails

needs_nginx = pytest.mark.skipif(
    not (NGINX and MODULE and OPENSSL), reason="nginx with njs, and openssl, are not all installed"
)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def backend():
    """A server that says what it was asked; yields its port and the requests."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((self.command, self.path, body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else b"ok")

        do_GET = do_HEAD = do_POST

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def replaced(text, changes):
    """The text with each pattern replaced, which has to be there once."""
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """Asks nginx with the file that operators get, but for ports and places."""
    if not (NGINX and MODULE and OPENSSL):
        pytest.skip("nginx with njs is not installed")
    folder = tmp_path_factory.mktemp("proxy")
    subject = ("-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    files = ("-keyout", f"{folder}/server.key", "-out", f"{folder}/server.crt")
    command = [OPENSSL, "req", "-x509", *kind, *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    port = free_port()
    with backend() as (behind, asked):
        changes = {
            "load_module modules/ngx_http_js_module.so;": f"load_module {MODULE};",
            # As root, since no other user gets into the test's folder.
            "worker_processes auto;": "worker_processes 1; user root;",
            "pid /tmp/nginx.pid;": f"pid {folder}/nginx.pid;",
            "js_path /etc/nginx/proxy/;": f"js_path {PROXY}/;",
            "server serving:8501;": f"server 127.0.0.1:{behind};",
            "listen 8443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/nginx/tls/server.crt": f"{folder}/server.crt",
            "/etc/nginx/tls/server.key": f"{folder}/server.key",
        }
        text = re.sub(r"(_temp_path) /tmp/", rf"\1 {folder}/", replaced(CONFIG, changes))
        (folder / "nginx.conf").write_text(text)
        foreground = ["-g", "daemon off;"]
        arguments = ["-c", f"{folder}/nginx.conf", "-p", str(folder), "-e", f"{folder}/error.log"]
        process = subprocess.Popen([NGINX, *arguments, *foreground], stderr=subprocess.PIPE)
        pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1", port, ca_certs=f"{folder}/server.crt", retries=False, timeout=PATIENCE
        )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.01)

        def ask(method, path, body=None, **headers):
            answer = pool.request(method, path, body=body, headers=headers)
            return answer.status, answer.data.decode()

        ask.asked, ask.port, ask.certificate = asked, port, f"{folder}/server.crt"
        try:
            if process.poll() is not None:
                pytest.fail(process.stderr.read().decode())
            yield ask
        finally:
            pool.close()
            process.terminate()
            process.wait(PATIENCE)
            process.stderr.close()


PREDICT = "/v1/models/generator:predict"
GOOD = [
    '{"signature_name": "png", "instances": [7]}',
    '{"signature_name":"png","inputs":{"seed":[9223372036854775807,-9223372036854775808]}}',
    '{"inputs": [[0.5, -1e-3]]}',
    '{"signature_name": "a \\" [0] b", "instances": [{"b64": "["}, {"b64": "]"}]}',
]
BAD = {
    '{"signature_name": "png", "inputs": {"seed": []}}': "an empty list",
    '{"instances": [ \n\t]}': "an empty list",
    # Of two fields of one name one parser takes the first, another the last.
    '{"inputs": {"seed": []}, "inputs": {"seed": [7]}}': "an empty list",
    '{"inputs": {"seed": [7]}, "inputs": {"seed": []}}': "an empty list",
    '{"instances": [7], "other": "\\\\", "seed": []}': "an empty list",
    # Strings are not told apart, whose worst bodies took seconds.
    '{"instances": [7], "name": "[ ]"}': "an empty list",
    '{"signature_name": "png"}': "neither instances nor inputs",
    "[[7]]": "not a JSON object",
    "null": "not a JSON object",
    '{"instances": [7]': "not JSON",
    '{"instances": [/* */]}': "not JSON",
    "": "not JSON",
}


@needs_nginx
@pytest.mark.parametrize("body", GOOD)
def test_a_good_request_passes_as_it_was_sent(proxy, body):
    path = "/v1/models/generator/versions/3:predict"
    proxy.asked.clear()
    assert proxy("POST", path, body) == (200, "ok")
    assert proxy.asked == [("POST", path, body.encode())]


@needs_nginx
@pytest.mark.parametrize("body", BAD)
def test_a_bad_request_never_reaches_the_server(proxy, body):
    proxy.asked.clear()
    status, text = proxy("POST", PREDICT, body)
    assert status == 400
    assert BAD[body] in json.loads(text)["error"]
    assert proxy.asked == []


@needs_nginx
def test_what_else_is_refused(proxy):
    proxy.asked.clear()
    packed = gzip.compress(b'{"instances": []}')
    encoded = {"Content-Encoding": "gzip"}
    assert proxy("POST", PREDICT, packed, **encoded)[0] == 415
    assert proxy("GET", PREDICT)[0] == 405
    large = '{"instances": [' + "7," * 2**19 + "7]}"
    status, text = proxy("POST", PREDICT, large)
    assert (status, "larger" in json.loads(text)["error"]) == (413, True)
    for path in (
        "/",
        "/monitoring/prometheus/metrics",
        "/v1/models/generator:classify",
        "/v1/models/generator:regress",
        "/v1/models/",
    ):
        status, text = proxy("POST", path, '{"instances": [7]}')
        assert (status, json.loads(text)["error"]) == (404, "not served here")
    assert proxy("POST", "/v1/models/generator", "{}")[0] == 403
    assert proxy.asked == []


@needs_nginx
@pytest.mark.parametrize("path", ["", "/metadata", "/versions/2", "/labels/stable"])
def test_status_and_metadata_pass(proxy, path):
    proxy.asked.clear()
    assert proxy("GET", f"/v1/models/generator{path}") == (200, "ok")
    assert proxy.asked == [("GET", f"/v1/models/generator{path}", b"")]


@needs_nginx
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_request_hides_in_the_body_of_another(proxy, method):
    """The server does not read the body of a HEAD: what is left would be its next request."""
    proxy.asked.clear()
    hidden = f'POST {PREDICT} HTTP/1.1\r\nContent-Length: 17\r\n\r\n{{"instances": []}}'
    assert proxy(method, "/v1/models/generator", hidden)[0] == 200
    assert proxy.asked == [(method, "/v1/models/generator", b"")]


CHUNKED = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@needs_nginx
@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "GET / HTTP/1.1\r\n\r\n"),
        (400, "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, f"GET / HTTP/1.1\r\nHost: x\r\nX: {'x' * 9000}\r\n\r\n"),
        (405, "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n"),
        (411, CHUNKED + "1\r\n7\r\n" * 2**18 + "0\r\n\r\n"),
        (414, f"GET /{'x' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n"),
        (501, CHUNKED.replace("chunked", "gzip, chunked")),
        (505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    ],
)
def test_what_is_not_http_as_nginx_takes_it_is_answered_in_json(proxy, status, text):
    proxy.asked.clear()
    context = ssl.create_default_context(cafile=proxy.certificate)
    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(text.encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
        assert json.loads(answer.read())["error"]
    assert proxy.asked == []


@needs_nginx
def test_old_tls_and_none_are_refused(proxy):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", proxy.port)) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain)
    with socket.create_connection(("127.0.0.1", proxy.port)) as plain:
        plain.sendall(b"GET /v1/models/generator HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b'{"error": ' in (answer := plain.recv(1000))
        assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_body_is_looked_at_whole():
    """What does not fit in the buffer would be in a file, where njs does not see it."""
    sizes = dict(re.findall(r"^ *(client_\w+_size) (\w+);", CONFIG, re.MULTILINE))
    assert sizes == {"client_max_body_size": "1m", "client_body_buffer_size": "1m"}


def test_a_thousand_connections_that_send_nothing_whole_leave_room_for_others():
    """nginx cannot count them by address."""
    (connections,) = re.findall(r"worker_connections (\d+);", CONFIG)
    (files,) = re.findall(r"worker_rlimit_nofile (\d+);", CONFIG)
    assert int(files) >= 2 * int(connections) >= 16_000
