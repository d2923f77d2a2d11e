"""The package's clients in several processes, and the latencies that they see.

A server that is up: `python -m benchmarks.processes benchmarks.clients.measure '{"server":
"127.0.0.1:8500", "clients": 16}'`.
"""

import concurrent.futures
import functools
import multiprocessing

from gan_keras.client import load

PROCESSES = 2  # of clients; one alone may be what limits


def measure(server, transport="grpc", clients=1, count=1, warm_up=1.0, seconds=5.0):
    """Lets clients ask a server, HOST:PORT, for `count` PNGs at a time, all at the same time.

    Returns:
        A dict: requests, requests_per_second, percentiles of the latency in milliseconds, p50, p90
        and p99, and client_cores, what the busiest process of clients took.
    """
    shares = [range(clients)[first::PROCESSES] for first in range(min(clients, PROCESSES))]
    context = multiprocessing.get_context("fork")  # no thread runs yet
    ask = functools.partial(_load, server, transport, count, warm_up, seconds)
    with concurrent.futures.ProcessPoolExecutor(len(shares), context) as pool:
        seen = load.together(list(pool.map(ask, shares)))
    return {
        "requests": seen.requests,
        "requests_per_second": seen.requests / seconds,
        **{f"p{share}": value for share, value in seen.percentiles.items()},
        "client_cores": seen.busy,
    }


def _load(server, transport, count, warm_up, seconds, numbers):
    asks = [_client(server, transport, count, 100_003 * number) for number in numbers]
    return load.measure(asks, seconds, warm_up)


def _client(server, transport, count, seed):
    from gan_keras.client import Client

    client = Client(server, transport)
    return lambda number: client.sample(count, seed + number * count)
