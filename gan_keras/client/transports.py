"""How a client's request reaches the server: gRPC and REST behind one method.

A transport has `where` (address and transport, for messages), `close()` and
`predict(signature, inputs, output, end)`, which sends `inputs` (int64 or float32 arrays by their
names, never empty) and returns the output `output`, before `time.monotonic()` is `end`: a list of
bytes if its name ends in `_bytes`, otherwise a float32 array. Failures are a UserError; an answer
of another form is whatever error reading it makes, as a KeyError or a ValueError.

Each class imports its library itself, so that REST needs neither grpc nor TensorFlow.
"""

import base64
import json
import math
import re
import socket
import threading
import time
from urllib.parse import quote

import numpy as np

from gan_keras.errors import UserError
from gan_keras.exporting import contract

# A request changes nothing on the server, so that it can be sent again when it was refused or its
# connection broke: three times within a second, enough for a server that sheds load. Never after
# a time-out: the server is then still at work, and a second request would double its load.
ATTEMPTS = 4
FIRST_PAUSE = 0.1  # seconds; where less than 1 ms is left, grpc 1.85 forgets to try again
LONGEST_PAUSE = 2.0  # seconds, also if the server's Retry-After asks for more

# grpc's own limit of 4 MiB is below one full batch of 128x128 RGB floats (12 MiB).
MAX_REPLY_BYTES = 256 * 2**20
# A value of JSON takes a byte or two on the way and up to 64 in Python: 1 GiB at most.
MAX_JSON_VALUES = 2**24
MAX_COMPLAINT = 2**20  # bytes of a refusal that are read as JSON
CHUNK = 2**16  # bytes of a reply that are read at once


class _Deadlined(socket.socket):
    """A socket that waits for its other side until a time, not for so long at each call.

    A server that sends a byte now and then would otherwise be waited for without end.
    """

    def until(self, end):
        """Sets the time, as of `time.monotonic()`."""
        self._end = end

    def recv_into(self, *args):
        self.settimeout(_left(self._end))
        return super().recv_into(*args)

    def sendall(self, *args):
        self.settimeout(_left(self._end))
        return super().sendall(*args)


def _left(end):
    """Seconds until then; a TimeoutError if there are none."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class Rest:
    """TensorFlow Serving's REST API."""

    def __init__(self, server, model, timeout, version, label):
        import urllib3

        class Retry(urllib3.Retry):
            def increment(self, method=None, url=None, response=None, error=None, *rest, **more):
                # urllib3 counts a refused connection as a time-out's kind.
                if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(
                    error, urllib3.exceptions.NewConnectionError
                ):
                    raise error
                return super().increment(method, url, response, error, *rest, **more)

        self.where = f"{server} over rest"
        self._model, self._timeout = model, timeout
        self._port = server.rpartition(":")[2]
        path = f"/v1/models/{quote(model, safe='')}"
        if version is not None:
            path += f"/versions/{version}"
        if label is not None:
            path += f"/labels/{label}"
        self._path = f"{path}:predict"
        self._thread = thread = threading.local()  # `end`: of the call that it is in

        class Connection(urllib3.connection.HTTPConnection):
            def _new_conn(self):
                self.timeout = _left(thread.end)
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

        self._pool = urllib3.connection_from_url(
            f"http://{server}",
            maxsize=16,  # connections kept for the threads that share this client
            timeout=timeout,
            retries=Retry(
                total=ATTEMPTS - 1,
                redirect=False,
                allowed_methods=None,  # any: this POST can be repeated
                status_forcelist=(429, 503),
                raise_on_status=False,  # the last answer holds the server's own words
                # urllib3 pauses from the second repetition on, for twice this.
                backoff_factor=FIRST_PAUSE,
                backoff_max=LONGEST_PAUSE,
                retry_after_max=LONGEST_PAUSE,
            ),
        )
        self._pool.ConnectionCls = Connection

    def predict(self, signature, inputs, output, end):
        import urllib3

        columns = {name: rows.tolist() for name, rows in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        self._thread.end = end
        try:
            answer = self._pool.request("POST", self._path, json=body, preload_content=False)
            try:
                data = self._read(answer, end)
            except BaseException:
                answer.close()  # Nobody waits for the rest.
                raise
            answer.release_conn()
        except TimeoutError:
            raise _too_slow(self.where, self._timeout) from None
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", error)  # of a MaxRetryError
            if isinstance(reason, urllib3.exceptions.NewConnectionError):
                cause = reason.__cause__  # an OSError, whose own text is the clearest
                raise _unreachable(self.where, getattr(cause, "strerror", None) or reason) from None
            if isinstance(reason, urllib3.exceptions.TimeoutError):
                raise _too_slow(self.where, self._timeout) from None
            if "BadStatusLine" in str(reason):
                raise UserError(
                    f"{self.where}: port {self._port} does not speak HTTP/1.1; if it is a gRPC"
                    " port, ask it with the transport grpc, or ask the REST port"
                    f" ({contract.REST_PORT} by default)"
                ) from None
            raise UserError(f"{self.where}: {one_line(reason)}") from None
        if answer.status != 200:
            raise self._refused(answer, data, signature)
        if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_JSON_VALUES:
            raise ValueError(f"more than {MAX_JSON_VALUES:,} values")
        values = json.loads(data)["outputs"]
        if output.endswith("_bytes"):
            return [base64.b64decode(value["b64"], validate=True) for value in values]
        return np.array(values, np.float32)

    def _read(self, answer, end):
        """Returns the body as it came, if it is not more than can be."""
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError("it is compressed, which was not asked for")
        data = bytearray()
        while part := answer.read1(CHUNK, decode_content=False):
            data += part
            _left(end)
            if len(data) > MAX_REPLY_BYTES:
                raise ValueError(f"more than {MAX_REPLY_BYTES >> 20} MiB")
        return bytes(data)

    def _refused(self, answer, data, signature):
        try:
            said = str(json.loads(data[:MAX_COMPLAINT])["error"])
        except (KeyError, TypeError, ValueError, RecursionError):
            return UserError(
                f"{self.where}: HTTP {answer.status} {answer.reason or ''} without an error text;"
                " is it TensorFlow Serving or gan-keras-serve?"
            )
        if answer.status == 404:
            return _no_model(self.where, self._model, said)
        return _complaint(self.where, self._model, signature, f"HTTP {answer.status}: {said}")

    def close(self):
        self._pool.close()


class Grpc:
    """TensorFlow Serving's PredictionService."""

    def __init__(self, server, model, timeout, version, label):
        import grpc
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

        self.where = f"{server} over grpc"
        self._model, self._timeout = model, timeout
        self._request = predict_pb2.PredictRequest()
        self._request.model_spec.name = model
        if version is not None:
            self._request.model_spec.version.value = version
        if label is not None:
            self._request.model_spec.version_label = label
        retries = {
            "maxAttempts": ATTEMPTS,
            "initialBackoff": f"{FIRST_PAUSE}s",
            "maxBackoff": f"{LONGEST_PAUSE}s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
        }
        service = {"methodConfig": [{"name": [{}], "retryPolicy": retries}]}
        self._channel = grpc.insecure_channel(
            server,
            options=[
                ("grpc.service_config", json.dumps(service)),
                ("grpc.max_receive_message_length", MAX_REPLY_BYTES),
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def predict(self, signature, inputs, output, end):
        import grpc

        request = type(self._request)()
        request.CopyFrom(self._request)
        request.model_spec.signature_name = signature
        for name, rows in inputs.items():
            _write_tensor(request.inputs[name], rows)
        request.output_filter.append(output)
        try:
            answer = self._stub.Predict(request, timeout=_left(end))
        except TimeoutError:
            raise _too_slow(self.where, self._timeout) from None
        except grpc.RpcError as error:
            raise self._refused(error.code().name, error.details(), signature) from None
        if output not in answer.outputs:  # reading it would make an empty one
            raise KeyError(output)
        return _read_tensor(answer.outputs[output])

    def _refused(self, code, said, signature):
        if code == "DEADLINE_EXCEEDED":
            return _too_slow(self.where, self._timeout)
        if code == "UNAVAILABLE" and re.search("HTTP/2|http1", said):
            return UserError(
                f"{self.where}: the port does not speak HTTP/2; if it is a REST port, ask it with"
                f" the transport rest, or ask the gRPC port ({contract.GRPC_PORT} by default)"
            )
        if code == "UNAVAILABLE" and re.search("connect|resolv|lookup|DNS|closed", said):
            return _unreachable(self.where, said)
        if code == "NOT_FOUND":
            return _no_model(self.where, self._model, said)
        if code == "UNIMPLEMENTED":
            return UserError(
                f"{self.where}: a gRPC server, but without a PredictionService;"
                " is it TensorFlow Serving or gan-keras-serve?"
            )
        return _complaint(self.where, self._model, signature, f"{code}: {said}")

    def close(self):
        self._channel.close()


TRANSPORTS = {"grpc": Grpc, "rest": Rest}


def _write_tensor(proto, values):
    """Fills a TensorProto by hand: TensorFlow's own function would be a second import of it."""
    numbers = proto.DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_name
    proto.dtype = numbers[{"float32": "DT_FLOAT", "int64": "DT_INT64"}[values.dtype.name]].number
    for size in values.shape:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_content = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()


def _read_tensor(proto):
    """A float TensorProto as an array, a string one as a list of bytes."""
    if proto.string_val:
        return list(proto.string_val)
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if min(shape, default=0) < 0 or 4 * math.prod(shape) > MAX_REPLY_BYTES:
        raise ValueError(f"a tensor of the shape {shape}")
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, "<f4").reshape(shape)
    values = np.array(proto.float_val, np.float32)
    # A tensor of one repeated number may be sent as that number alone.
    return np.full(shape, values[0]) if len(values) == 1 else values.reshape(shape)


def one_line(text, limit=300):
    text = " ".join(str(text).split())
    return text if len(text) <= limit else f"{text[:limit]}..."


def _unreachable(where, reason):
    return UserError(
        f"{where} cannot be reached: {one_line(reason)}; is the server running, and is this the"
        f" right port ({contract.GRPC_PORT} is gRPC, {contract.REST_PORT} REST)?"
    )


def _too_slow(where, timeout):
    return UserError(f"{where}: no answer within {timeout:g} s; allow more time with timeout")


def _no_model(where, model, said):
    return UserError(
        f"{where}: no model `{model}` to be had: {one_line(said)}; check its name and version"
    )


def _complaint(where, model, signature, said):
    if re.search("signature.*not found|no signature", said, re.IGNORECASE | re.DOTALL):
        said += f"; `{signature}` is there if `{model}` comes from gan-keras-export"
    return UserError(f"{where}: {one_line(said)}")
