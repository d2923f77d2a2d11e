"""Load on a server from so many clients at once, and what they felt: one measurement.

`benchmarks.serve` starts a process for each; run alone, it measures a server that is up:
`python -m benchmarks.load --server=127.0.0.1:8500 --clients=8`.
"""

import json
import sys
import threading
import time

import numpy as np
from absl import flags as absl_flags

from gan_keras.cli import flags
from gan_keras.exporting import contract

PROGRAM = "python -m benchmarks.load"
SUMMARY = "Asks a server for pictures from several clients at once and prints a line of JSON."

PERCENTILES = (50, 90, 99)


def summarise(spans, begin, end):
    """Reduces the requests of all clients to what was measured.

    Args:
        spans: (start, end) of each answered request, in seconds.
        begin: When the warm-up was over.
        end: When the measurement was.

    Returns:
        A dict: requests, those that were answered from `begin` to `end`; requests_per_second; and
        latency, percentile (text) -> milliseconds, of these.

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
        "latency": {str(share): float(np.percentile(milliseconds, share)) for share in PERCENTILES},
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
        As `summarise`.

    Raises:
        Exception: that of the first request that failed.
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


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _load(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_string(
        "server", f"127.0.0.1:{contract.GRPC_PORT}", "HOST:PORT.", flag_values=values
    )
    absl_flags.DEFINE_enum(
        "transport", "grpc", ["grpc", "rest"], "What the port speaks.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "model", contract.MODEL_NAME, "Name of the model on the server.", flag_values=values
    )
    absl_flags.DEFINE_integer(
        "clients", 1, "How many ask at the same time.", lower_bound=1, flag_values=values
    )
    absl_flags.DEFINE_integer(
        "count",
        16,
        "Pictures per request.",
        lower_bound=1,
        upper_bound=contract.MAX_BATCH_SIZE,
        flag_values=values,
    )
    absl_flags.DEFINE_float("warm_up", 1.0, "Seconds not counted.", flag_values=values)
    absl_flags.DEFINE_float("seconds", 5.0, "Seconds to measure for.", flag_values=values)


def _load(values):
    if values.transport == "grpc":
        flags.import_tensorflow()
    from gan_keras.client.client import Client

    # A client each, and so a connection each, as of programs that know nothing of each other.
    clients = [Client(values.server, values.transport, values.model) for _ in range(values.clients)]

    def ask(number):
        clients[number].sample(values.count, seed=number)

    print(json.dumps(load(ask, values.clients, values.warm_up, values.seconds)))


if __name__ == "__main__":
    sys.exit(run())
