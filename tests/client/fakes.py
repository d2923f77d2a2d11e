"""Servers of a few lines, over both transports, which answer, refuse and hang as they are told."""

import base64
import contextlib
import http.server
import json
import threading
from concurrent import futures

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from gan_keras.drawing import images
from gan_keras.exporting import contract

PATIENCE = 20  # seconds; reached only where a test fails
SHORT_PAUSE = 0.001  # seconds between retries


def picture(seed):
    """A picture that tells its seed."""
    digits = (int(seed) >> np.arange(0, 64, 4)) & 15
    return digits.astype(np.uint8).reshape(4, 4, 1)


def render(latents):
    return np.float32(latents)[:, :4].reshape(-1, 2, 2, 1) * np.float32(0.5)


class Fake:
    """What both servers have in common: the model, what was asked, what goes wrong."""

    def __init__(self):
        self.asked = []  # (signature, input, rows)
        self.peers = set()  # addresses of clients' ends, where they are known
        self.failures = []  # (code, text), each for one request
        self.released = threading.Event()
        self.released.set()

    def answer(self, signature, key, rows):
        self.asked.append((signature, key, rows))
        self.released.wait(PATIENCE)
        if signature == contract.PNG_SIGNATURE:
            return [images.encode_png(picture(seed)) for seed in rows]
        return render(rows)

    @property
    def sizes(self):
        return [len(rows) for _, _, rows in self.asked]


class FakeRest(Fake):
    transport = "rest"
    NO_SIGNATURE = (400, 'Serving signature key "classes" not found.')
    BUSY = (503, 429)
    BAD, MISSING = 400, 404

    @contextlib.contextmanager
    def serving(self):
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                ((key, rows),) = body["inputs"].items()
                rows = np.array(rows, np.float32 if key == contract.LATENTS else np.int64)
                fake.path = self.path
                fake.peers.add(self.client_address)
                values = fake.answer(body["signature_name"], key, rows)
                if fake.failures:
                    status, text = fake.failures.pop(0)
                    reply = text if text.startswith("<") else json.dumps({"error": text})
                else:
                    status, reply = 200, json.dumps({"outputs": fake.coded(values)})
                with contextlib.suppress(ConnectionError):  # a client that gave up
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(reply)))
                    self.end_headers()
                    self.wfile.write(reply.encode())

            def log_message(self, *args):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=[0.01])
            thread.start()
            self.address = f"127.0.0.1:{server.server_port}"
            try:
                yield self
            finally:
                self.released.set()
                server.shutdown()
                thread.join()

    def coded(self, values):
        if isinstance(values, list):
            return [{"b64": base64.b64encode(value).decode()} for value in values]
        return values.tolist()


class FakeGrpc(Fake, prediction_service_pb2_grpc.PredictionServiceServicer):
    transport = "grpc"
    NO_SIGNATURE = (
        grpc.StatusCode.FAILED_PRECONDITION,
        'Serving signature key "classes" not found.',
    )
    BUSY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    BAD, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND

    def Predict(self, request, context):
        ((key, tensor),) = request.inputs.items()
        kind = "<f4" if key == contract.LATENTS else "<i8"
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        rows = np.frombuffer(tensor.tensor_content, kind).reshape(shape)
        self.spec = request.model_spec
        values = self.answer(request.model_spec.signature_name, key, rows)
        if self.failures:
            context.abort(*self.failures.pop(0))
        reply = predict_pb2.PredictResponse()
        (output,) = request.output_filter
        self.code(reply.outputs[output], values)
        return reply

    def code(self, tensor, values):
        if isinstance(values, list):
            tensor.string_val.extend(values)
            return
        for size in values.shape:
            tensor.tensor_shape.dim.add(size=size)
        tensor.float_val.extend(values.ravel())

    @contextlib.contextmanager
    def serving(self):
        server = grpc.server(futures.ThreadPoolExecutor(2))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, server)
        self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield self
        finally:
            self.released.set()
            server.stop(None).wait()
