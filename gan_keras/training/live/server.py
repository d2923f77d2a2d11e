"""The HTTP side of the live view, on this machine only.

Nobody logs in, so two things keep other pages of the same browser out: a request has to name this
machine (`Host`), which a page elsewhere does not bring about by a name of its own that leads here;
and a button needs a header that such a page may send only with a permission that is never given.
"""

import contextlib
import http.server
import logging
import socketserver
import threading
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from gan_keras.drawing import pages
from gan_keras.errors import UserError, visible
from gan_keras.training.live.controls import BUTTONS

ADDRESS = "127.0.0.1"
HOSTS = (ADDRESS, "localhost")  # What a request may call this machine, at whatever port.
HEADER, ENCODING = "X-Live-View", "Transfer-Encoding"
ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
POLL_SECONDS = 10.0  # that a reader waits for a new frame, at most
IDLE_SECONDS = 15.0  # of a connection that sends or takes nothing
MOST_CONNECTIONS = 32

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def serve(controls, port):
    """Serves the page of some `Controls` while the body of the `with` runs.

    At its end the readers get a last frame, with a line that says how it ended.

    Args:
        controls: The Controls.
        port: Port of 127.0.0.1; 0 for any that is free.

    Yields:
        The page's address.

    Raises:
        UserError: the port cannot be had.
    """
    try:
        server = _Server((ADDRESS, port), _handler(controls))
    except OSError as error:
        raise UserError(
            f"--live_port={port}: {error.strerror}; choose another, or 0 for any that is free"
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="live", daemon=True)
    thread.start()
    try:
        yield f"http://{ADDRESS}:{server.server_address[1]}/"
    except BaseException as error:
        controls.ending = visible(f"The training has ended: {str(error) or type(error).__name__}")
        raise
    finally:
        controls.close()
        server.shutdown()
        server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    """A thread for each connection, and not too many."""

    allow_reuse_address = True
    daemon_threads = True  # A reader that takes nothing does not delay the end.
    block_on_close = False

    def __init__(self, *arguments):
        self.free = threading.Semaphore(MOST_CONNECTIONS)
        super().__init__(*arguments)

    def process_request(self, request, client_address):
        if not self.free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # No thread could be started.
            self.free.release()
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()

    def handle_error(self, request, client_address):
        """A reader that has gone is nothing to report."""
        logger.debug("live view: a connection ended early", exc_info=True)


def _handler(controls):
    text, headers = pages.read("gan_keras.training.live")
    page = text.encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # One connection for many frames.
        server_version, sys_version = "gan-keras-train", ""
        timeout = IDLE_SECONDS
        wbufsize = -1  # Headers and body in one piece.

        def do_GET(self):
            url = urlsplit(self.path)
            if not self._is_ours():
                return
            if url.path == "/":
                self._answer(HTTPStatus.OK, page, "text/html; charset=utf-8", headers)
            elif url.path == "/game":
                self._answer_json(controls.facts(POLL_SECONDS))
            elif url.path == "/frame":
                key = parse_qs(url.query).get("after", [""])[0]
                self._answer_json(controls.newer(key, POLL_SECONDS))
            else:
                self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here but the page at /")

        def do_POST(self):
            button = urlsplit(self.path).path.removeprefix("/")
            if not self._is_ours():
                return
            if self.headers.get(HEADER) is None:
                self._refuse(HTTPStatus.FORBIDDEN, f"a button needs the header {HEADER}")
            elif self.headers.get("Content-Length", "0") != "0" or self.headers.get(ENCODING):
                self._refuse(HTTPStatus.BAD_REQUEST, "a button takes no body")
            elif button not in BUTTONS:
                self._refuse(HTTPStatus.NOT_FOUND, f"the buttons are {', '.join(BUTTONS)}")
            else:
                controls.press(button)
                self._answer(HTTPStatus.NO_CONTENT)

        def _is_ours(self):
            """Whether the request was meant for this machine; else it is refused."""
            host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
            if host.rpartition(":")[0] not in HOSTS and host not in HOSTS:
                self._refuse(HTTPStatus.FORBIDDEN, f"the host must be {' or '.join(HOSTS)}")
                return False
            # What browsers say of where a request comes from; `none` is a person's own.
            site = self.headers.get("Sec-Fetch-Site", "none")
            if origin not in (None, f"http://{host}") or site not in ("same-origin", "none"):
                self._refuse(HTTPStatus.FORBIDDEN, "requests of another page are refused")
                return False
            return True

        def _answer_json(self, body):
            if body is None:
                self._answer(HTTPStatus.NO_CONTENT)
            else:
                self._answer(HTTPStatus.OK, body, "application/json")

        def _refuse(self, status, message):
            self.close_connection = True
            body = f"{message}\n".encode()
            self._answer(status, body, "text/plain; charset=utf-8", {"Connection": "close"})

        def _answer(self, status, body=b"", kind=None, more=None):
            more = more or {}
            if controls.closed:  # A connection that stays would hide that the training has gone.
                self.close_connection, more = True, {**more, "Connection": "close"}
            self.send_response(status)
            for name, value in {**ALWAYS, **more}.items():
                self.send_header(name, value)
            if kind:
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    return Handler
