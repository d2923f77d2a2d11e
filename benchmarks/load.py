"""Load on a server from so many clients at once, and the latencies they see: one measurement.

A server that is up: `python -m benchmarks.processes benchmarks.load.measure '{"server":
"127.0.0.1:8500", "clients": 16}'`.
"""

import concurrent.futures
import itertools
import multiprocessing
import selectors
import socket
import time

import numpy as np

from benchmarks import wire
from gan_keras.client.load import PERCENTILES

PROCESSES = 2  # of clients; one alone may be what limits
SEEDS = 2**20  # different pictures


class _Client:
    """A connection, and the request that it waits for."""

    def __init__(self, server, transport, first_seed, count):
        host, port = server.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wire = wire.WIRES[transport](server)
        self.socket.sendall(self._wire.hello)
        self._seeds, self._count = itertools.count(first_seed, count), count

    def ask(self, now):
        first = next(self._seeds) % SEEDS
        self.start = now
        self.socket.sendall(self._wire.request(list(range(first, first + self._count))))

    def answered(self):
        """Reads what has come; returns whether it completes the reply."""
        data = self.socket.recv(2**18)
        if not data:
            raise ConnectionError("the server closed the connection")
        done = self._wire.replies(data)
        if self._wire.send:
            self.socket.sendall(self._wire.send)
            self._wire.send = b""
        return bool(done)


def load(server, transport, numbers, count, begin, end, now=time.perf_counter):
    """Lets clients ask, one request after the other each, and all at the same time.

    Args:
        server: "HOST:PORT".
        transport: "grpc" or "rest".
        numbers: Those of the clients, from which their seeds follow.
        count: Pictures per request.
        begin: When the measurement begins, in seconds.
        end: When the last request is sent.
        now: Returns the time in seconds.

    Returns:
        The (start, end) of each request; the share of a core that this took after `begin`.
    """
    spans, chosen = [], selectors.DefaultSelector()
    for number in numbers:
        client = _Client(server, transport, number * 10_007, count)
        chosen.register(client.socket, selectors.EVENT_READ, client)
        client.ask(now())
    asking, marks = len(numbers), []
    while asking:
        for key, _ in chosen.select(timeout=60) or _silent(server):
            client = key.data
            if client.answered():
                time_now = now()
                spans.append((client.start, time_now))
                if not marks and time_now >= begin:
                    marks.append((time_now, time.process_time()))
                if time_now < end:
                    client.ask(time_now)
                else:
                    asking -= 1
                    chosen.unregister(client.socket)
                    client.socket.close()
    (since, cpu), *_ = marks or [(begin, time.process_time())]
    return spans, (time.process_time() - cpu) / max(now() - since, 1e-9)


def _silent(server):
    raise TimeoutError(f"{server}: no answer within 60 s")


def measure(server, transport="grpc", clients=1, count=1, warm_up=1.0, seconds=5.0):
    """Asks a server, HOST:PORT, for `count` PNGs at a time.

    Returns:
        What `summarise` does, and `client_cores`: what the busiest process of clients took.
    """
    shares = [range(clients)[first::PROCESSES] for first in range(min(clients, PROCESSES))]
    context = multiprocessing.get_context("fork")  # no thread runs yet
    with concurrent.futures.ProcessPoolExecutor(len(shares), context) as pool:
        begin = time.perf_counter() + warm_up
        end = begin + seconds
        loads = [pool.submit(load, server, transport, each, count, begin, end) for each in shares]
        spans, cores = zip(*(each.result() for each in loads), strict=True)
    return summarise([*itertools.chain(*spans)], begin, end) | {"client_cores": max(cores)}


def summarise(spans, begin, end):
    """Reduces the (start, end) of each request, in seconds, to those that end in the measurement.

    Returns:
        A dict: requests, requests_per_second, and percentiles of the latency, p50, p90 and p99, in
        milliseconds.

    Raises:
        ValueError: no request was answered in that time.
    """
    counted = [1000 * (stop - start) for start, stop in spans if begin <= stop < end]
    if not counted:
        raise ValueError("no request was answered in the time of the measurement")
    latencies = {f"p{share}": float(np.percentile(counted, share)) for share in PERCENTILES}
    requests = len(counted)
    return {"requests": requests, "requests_per_second": requests / (end - begin), **latencies}
