"""TensorFlow Serving's REST API. `urllib3` is imported with the first client."""

import base64
import json
import socket
import ssl
import threading
from urllib.parse import quote

import numpy as np

from gan_keras.client import refusals, transport
from gan_keras.client.transport import Busy, left
from gan_keras.errors import UserError
from gan_keras.exporting import contract

BUSY = (429, 503)
# A value of JSON takes a byte or two on the way and up to 64 in Python: 1 GiB at most.
MAX_JSON_VALUES = 2**24
MAX_COMPLAINT = 2**20  # bytes of a refusal that are read as JSON
CHUNK = 2**16  # bytes of a reply that are read at once
KEPT = 64  # connections kept for the threads that share a client


class _UntilDeadline:
    """Part of a socket that waits for its other side until a time, not for so long at each call.

    A server that sends a byte now and then would otherwise be waited for without end.
    """

    def until(self, end):
        """Sets the time, as of `time.monotonic()`."""
        self._end = end

    def recv_into(self, *args):
        self.settimeout(left(self._end))
        return super().recv_into(*args)

    def sendall(self, *args):
        self.settimeout(left(self._end))
        return super().sendall(*args)


class _Deadlined(_UntilDeadline, socket.socket):
    pass


class _DeadlinedTls(_UntilDeadline, ssl.SSLSocket):
    pass


def pool(url, thread, timeout, context=None):
    """Returns urllib3's pool of connections, none of which is waited for beyond `thread.end`.

    Args:
        url: Scheme, host and port.
        thread: What holds `end`, as of `time.monotonic()`, of the call that the thread is in.
        timeout: Seconds that urllib3 waits at most.
        context: The ssl.SSLContext; None for no TLS.
    """
    import urllib3

    more, base = {}, urllib3.connection.HTTPConnection
    if context:
        more["ssl_context"], base = context, urllib3.connection.HTTPSConnection
        context.sslsocket_class = _DeadlinedTls

    class Connection(base):
        def _new_conn(self):
            self.timeout = left(thread.end)
            plain = super()._new_conn()
            waits = plain.gettimeout()
            found = _Deadlined(plain.family, plain.type, plain.proto, plain.detach())
            found.settimeout(waits)
            return found

        def request(self, *args, **kwargs):
            if self.sock is None:
                self.connect()
            self.sock.until(thread.end)
            return super().request(*args, **kwargs)

    # A redirection is no answer of this API, and who is not answered asks again himself.
    made = urllib3.connection_from_url(url, maxsize=KEPT, timeout=timeout, retries=False, **more)
    made.ConnectionCls = Connection
    return made


def read(answer, end, most):
    """Returns the body of a reply as it came.

    Raises:
        TimeoutError: it is not there when `time.monotonic()` is `end`.
        ValueError: it is compressed, or of more than `most` bytes.
    """
    try:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError("it is compressed, which was not asked for")
        data = bytearray()
        while part := answer.read1(CHUNK, decode_content=False):
            data += part
            left(end)
            if len(data) > most:
                raise ValueError(f"more than {most >> 20} MiB")
    except BaseException:
        answer.close()  # Nobody waits for the rest.
        raise
    answer.release_conn()
    return bytes(data)


class Rest(transport.Transport):
    """A connection for each thread that asks at the same time, kept for its next request."""

    def __init__(self, server, model, timeout, version, label, security):
        self.where = f"{server} over rest"
        self._model, self._timeout = model, timeout
        self._port = server.rpartition(":")[2]
        path = f"/v1/models/{quote(model, safe='')}"
        if version is not None:
            path += f"/versions/{version}"
        if label is not None:
            path += f"/labels/{label}"
        self._path = f"{path}:predict"
        self._headers = {"Content-Type": "application/json", **security.headers}
        self._thread = thread = threading.local()  # `end`: of the call that it is in

        context = security.context() if security.tls else None
        scheme = "https" if context else "http"
        self._pool = pool(f"{scheme}://{server}", thread, timeout, context)

    def _encode(self, signature, inputs, output):
        columns = {name: rows.tolist() for name, rows in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        return json.dumps(body, separators=(",", ":")).encode()

    def _send(self, body, signature, end):
        import urllib3

        self._thread.end = end
        try:
            answer = self._pool.request(
                "POST",
                self._path,
                body=body,
                headers=self._headers,
                preload_content=False,
            )
            data = read(answer, end, transport.MAX_REPLY_BYTES)
        except urllib3.exceptions.NewConnectionError as error:  # which is a time-out of urllib3's
            cause = error.__cause__  # an OSError, whose own text is the clearest
            reason = getattr(cause, "strerror", None) or error
            raise Busy(refusals.unreachable(self.where, reason)) from None
        except (TimeoutError, urllib3.exceptions.TimeoutError):
            raise refusals.too_slow(self.where, self._timeout) from None
        except urllib3.exceptions.HTTPError as error:
            raise self._broken(error) from None
        if answer.status == 200:
            return data
        refused = self._refused(answer, data, signature)
        if answer.status in BUSY:
            raise Busy(refused, _seconds(answer.headers.get("Retry-After")))
        raise refused

    def _broken(self, error):
        """What a connection that gave no answer means: a Busy, or a UserError."""
        import urllib3

        if isinstance(error, urllib3.exceptions.SSLError):
            return refusals.no_trust(self.where, error)
        if "BadStatusLine" in str(error):
            return UserError(
                f"{self.where}: port {self._port} does not speak HTTP/1.1; if it is a gRPC"
                " port, ask it with the transport grpc, or ask the REST port"
                f" ({contract.REST_PORT} by default)"
            )
        refused = UserError(f"{self.where}: {refusals.one_line(error)}")
        lost = isinstance(error, urllib3.exceptions.ProtocolError)
        return Busy(refused) if lost else refused

    def _decode(self, data, output):
        if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_JSON_VALUES:
            raise ValueError(f"more than {MAX_JSON_VALUES:,} values")
        values = json.loads(data)["outputs"]
        if output.endswith("_bytes"):
            return [base64.b64decode(value["b64"], validate=True) for value in values]
        return np.array(values, np.float32)

    def _refused(self, answer, data, signature):
        try:
            said = str(json.loads(data[:MAX_COMPLAINT])["error"])
        except (KeyError, TypeError, ValueError, RecursionError):
            return UserError(
                f"{self.where}: HTTP {answer.status} {answer.reason or ''} without an error text;"
                " is it TensorFlow Serving or gan-keras-serve?"
            )
        if answer.status == 401:
            return refusals.no_token(self.where, said)
        if answer.status == 404:
            return refusals.no_model(self.where, self._model, said)
        return refusals.complaint(
            self.where, self._model, signature, f"HTTP {answer.status}: {said}"
        )

    def close(self):
        self._pool.close()


def _seconds(retry_after):
    """The seconds of a Retry-After header; 0 where it is missing or a date."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
