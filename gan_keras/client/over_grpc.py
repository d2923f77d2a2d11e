"""TensorFlow Serving's PredictionService. `grpc` is imported with the first client."""

import re

from gan_keras.client import refusals, transport
from gan_keras.client.transport import Busy, left
from gan_keras.errors import UserError
from gan_keras.exporting import contract

TLS = "(?i:ssl|certificate|handshake|wrong_version|verification check)"
BUSY = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")  # 503 and 429 of HTTP


class Grpc(transport.Transport):
    """One connection, which carries the requests of all threads at the same time."""

    def __init__(self, server, model, timeout, version, label, security):
        import grpc

        from gan_keras.client import messages

        self.where = f"{server} over grpc"
        self._messages = messages
        self._model, self._version, self._label = model, version, label
        self._timeout = timeout
        self._tls = security.tls
        self._metadata = list(security.headers.items())
        options = [
            # `predict` asks again itself: grpc knows neither which refusals cannot pass nor that
            # a pause beyond the deadline is of no use.
            ("grpc.enable_retries", 0),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", round(1000 * transport.LONGEST_PAUSE)),
            ("grpc.max_receive_message_length", transport.MAX_REPLY_BYTES),
            ("grpc.enable_http_proxy", 0),
        ]
        self._channel = (
            grpc.secure_channel(server, security.credentials(), options)
            if security.tls
            else grpc.insecure_channel(server, options)
        )
        self._call = self._channel.unary_unary(messages.PREDICT)  # of bytes

    def _encode(self, signature, inputs, output):
        return self._messages.request(
            self._model, self._version, self._label, signature, inputs, output
        )

    def _send(self, body, signature, end):
        import grpc

        try:
            return self._call(body, timeout=left(end), metadata=self._metadata)
        except TimeoutError:
            raise refusals.too_slow(self.where, self._timeout) from None
        except grpc.RpcError as error:
            code, said = error.code().name, error.details() or ""
        refused = self._refused(code, said, signature)
        # What is too large, or another protocol, stays so.
        if code in BUSY and not re.search(f"larger than max|HTTP/2|http1|{TLS}", said):
            raise Busy(refused)
        raise refused

    def _decode(self, data, output):
        return self._messages.answer(data, output, transport.MAX_REPLY_BYTES)

    def _refused(self, code, said, signature):
        if code == "DEADLINE_EXCEEDED":
            return refusals.too_slow(self.where, self._timeout)
        if code == "UNAUTHENTICATED":
            return refusals.no_token(self.where, said)
        if code == "UNAVAILABLE" and self._tls and re.search(TLS, said):
            return refusals.no_trust(self.where, said)
        if code == "UNAVAILABLE" and re.search("HTTP/2|http1", said):
            return UserError(
                f"{self.where}: the port does not speak HTTP/2; if it is a REST port, ask it with"
                f" the transport rest, or ask the gRPC port ({contract.GRPC_PORT} by default)"
            )
        if code == "UNAVAILABLE" and re.search("connect|resolv|lookup|DNS|closed", said):
            return refusals.unreachable(self.where, said)
        if code == "NOT_FOUND":
            return refusals.no_model(self.where, self._model, said)
        if code == "UNIMPLEMENTED":
            return UserError(
                f"{self.where}: a gRPC server, but without a PredictionService;"
                " is it TensorFlow Serving or gan-keras-serve?"
            )
        return refusals.complaint(self.where, self._model, signature, f"{code}: {said}")

    def close(self):
        self._channel.close()
