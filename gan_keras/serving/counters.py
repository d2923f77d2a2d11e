"""What the server has done, for Prometheus, under the names of TensorFlow Serving.

One dashboard and one set of alerts then fit both servers. Names, labels and the bounds of the
histogram are those of `tensorflow_serving/servables/tensorflow/util.cc`, in the form that
TensorFlow Serving's exporter gives them; what it counts beside them is not counted here.
"""

import functools
import time

import prometheus_client
from aiohttp import web
from prometheus_client import exposition

PATH = "/monitoring/prometheus/metrics"
UNKNOWN = "(unknown)"  # of names that callers make up, or each would be a series of its own
# Microseconds: 33 bounds from 10 on, each 1.8 times the one before.
BOUNDS = tuple(float(f"{10 * 1.8**power:.6g}") for power in range(33))
# What `rest` answers with, as the code that gRPC has for it.
STATUS = {
    200: "OK",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
REQUESTS = ":tensorflow:serving:request_count"


class Counters:
    """Requests for predictions by model and status, and how long they took.

    Args:
        known: Returns the names of the models.
    """

    def __init__(self, known):
        self._known = known
        # When a series began, as a series of its own, is of no use here.
        prometheus_client.disable_created_metrics()
        self.registry = prometheus_client.CollectorRegistry()
        self._requests = prometheus_client.Counter(
            REQUESTS,
            "The total number of requests.",
            ("model_name", "status"),
            registry=self.registry,
        )
        self._latency = prometheus_client.Histogram(
            ":tensorflow:serving:request_latency",
            "Distribution of wall time (in microseconds) for Tensorflow Serving request.",
            ("model_name", "API", "entrypoint"),
            buckets=BOUNDS,
            registry=self.registry,
        )
        # Memory, CPU time and descriptors, under the names that Prometheus' own clients use.
        prometheus_client.ProcessCollector(registry=self.registry)

    def add(self, model, entrypoint, status, seconds):
        """Counts one answered request.

        Args:
            model: The model's name, as the caller gave it.
            entrypoint: "GRPC" or "REST".
            status: The name of a gRPC status code.
            seconds: From the first look at the request to its answer.
        """
        model = model if model in self._known() else UNKNOWN
        self._requests.labels(model, status).inc()
        self._latency.labels(model, "predict", entrypoint).observe(1e6 * seconds)

    def text(self):
        """Returns what Prometheus reads, as bytes."""
        # TensorFlow Serving's counter does not have the ending that the library gives to all.
        text = prometheus_client.generate_latest(self.registry)
        return text.replace(f"{REQUESTS}_total".encode(), REQUESTS.encode())

    def route(self):
        """Returns the route that Prometheus asks."""

        async def metrics(request):
            return web.Response(
                body=self.text(), headers={"Content-Type": exposition.CONTENT_TYPE_PLAIN_0_0_4}
            )

        return web.get(PATH, metrics)

    def middleware(self, name_of):
        """Returns an aiohttp middleware that counts predictions; it comes before all others.

        Args:
            name_of: Returns the name of the model that a request wants predictions of, or None.
        """

        @web.middleware
        async def count(request, handler):
            name = name_of(request)
            if name is None:
                return await handler(request)
            start = time.perf_counter()
            status = "CANCELLED"  # where the caller has gone
            try:
                answer = await handler(request)
                status = STATUS.get(
                    answer.status, "INVALID_ARGUMENT" if answer.status < 500 else "INTERNAL"
                )
                return answer
            finally:
                self.add(name, "REST", status, time.perf_counter() - start)

        return count


def counted(code_of):
    """Returns a decorator of a gRPC service's methods; the service has `counters`, or None.

    Args:
        code_of: Returns the status code of an exception.
    """

    def decorate(method):
        @functools.wraps(method)
        async def count(self, request):
            if self.counters is None:
                return await method(self, request)
            start = time.perf_counter()
            status = "OK"
            try:
                return await method(self, request)
            except BaseException as error:
                status = code_of(error)
                raise
            finally:
                name = request.model_spec.name
                self.counters.add(name, "GRPC", status, time.perf_counter() - start)

        return count

    return decorate
