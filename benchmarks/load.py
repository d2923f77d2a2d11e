"""Load on a server from so many clients at once, and the latencies they see: one measurement.

A server that is up: `python -m benchmarks.processes benchmarks.load.measure '{"server":
"127.0.0.1:8500", "clients": 8}'`.
"""

import threading
import time

import numpy as np

PERCENTILES = (50, 90, 99)


def summarise(spans, begin, end):
    """Reduces the (start, end) of each request, in seconds, to those that end in the measurement.

    Returns:
        A dict: requests, requests_per_second, and percentiles of the latency, p50, p90 and p99, in
        milliseconds.

    Raises:
        ValueError: no request was answered in that time.
    """
    counted = [(start, stop) for start, stop in spans if begin <= stop < end]
    if not counted:
        raise ValueError("no request was answered in the time of the measurement")
    milliseconds = [1000 * (stop - start) for start, stop in counted]
    return {
        "requests": len(counted),
        "requests_per_second": len(counted) / (end - begin),
        **{f"p{share}": float(np.percentile(milliseconds, share)) for share in PERCENTILES},
    }


def load(ask, clients, warm_up, seconds, now=time.perf_counter):
    """Lets clients ask, one request after the other each, and all at the same time.

    Args:
        ask: Called with the number of a client; returns when its request is answered.
        clients: How many.
        warm_up: Seconds that are not counted; each client's first request is not either.
        seconds: Seconds to measure for.
        now: Returns the time in seconds.

    Returns:
        As `summarise`. The first request that fails ends all, with its error.
    """
    spans, failures, times = [], [], []
    # Connections are made before the time runs.
    ready = threading.Barrier(clients, action=lambda: times.append(now()))

    def work(client):
        try:
            ask(client)
            ready.wait()
            end = times[0] + warm_up + seconds
            while (start := now()) < end and not failures:
                ask(client)
                spans.append((start, now()))
        except Exception as error:
            failures.append(error)
            ready.abort()

    threads = [threading.Thread(target=work, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    begin = times[0] + warm_up
    return summarise(spans, begin, begin + seconds)


def measure(server, transport="grpc", clients=1, count=16, warm_up=1.0, seconds=5.0):
    """Asks a server, HOST:PORT, for `count` pictures at a time; returns what `summarise` does."""
    from gan_keras.client.client import Client

    # A client each, and so a connection each, as of programs that know nothing of each other.
    connected = [Client(server, transport) for _ in range(clients)]
    return load(lambda i: connected[i].sample(count, seed=i), clients, warm_up, seconds)
