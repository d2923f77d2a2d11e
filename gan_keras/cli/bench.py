"""The part of `gan-keras-sample` that measures: requests and pictures per second, and latencies."""

import contextlib

from absl import flags as absl_flags

from gan_keras.errors import UsageError
from gan_keras.exporting import contract

MOST_CLIENTS = 256  # threads of one process
BUSY = 0.9  # of a core: Python's threads share one
OTHERS = ("load", "interpolate", "truncation", "output")  # flags of what is not measured


def define(values):
    """Defines the flags."""
    absl_flags.DEFINE_float(
        "bench",
        None,
        "Measure for so many seconds, after one that is not counted; --count is then the pictures"
        " of each request, and no file is written.",
        lower_bound=0.1,
        flag_values=values,
    )
    absl_flags.DEFINE_integer(
        "clients",
        1,
        "With --bench: clients that ask at the same time, each over a connection of its own.",
        lower_bound=1,
        upper_bound=MOST_CLIENTS,
        flag_values=values,
    )


def wanted(values):
    """Whether to measure.

    Raises:
        UsageError: flags that do not go together.
    """
    if values.bench is None:
        if values["clients"].present:
            raise UsageError(
                f"--clients={values.clients}: is for --bench; give --bench=SECONDS too"
            )
        return False
    for name in OTHERS:
        if values[name].present:
            raise UsageError(
                f"--{name}={values[name].value}: not beside --bench, which asks a server for"
                " pictures and writes no file; omit it"
            )
    if values.count > contract.MAX_BATCH_SIZE:
        raise UsageError(
            f"--count={values.count}: with --bench it is the pictures of one request, at most"
            f" {contract.MAX_BATCH_SIZE}"
        )
    return True


def run(values, connect, label, where):
    """Prints the rate of answers and their latencies.

    Args:
        values: The flags.
        connect: Returns a Client, with a connection of its own, as of programs that know nothing
            of each other.
        label: The class to ask for, or None.
        where: The server's name.
    """
    from gan_keras.client import load

    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect()) for _ in range(values.clients)]
        asks = [
            _asking(client, values.count, values.seed, number, values.clients, label)
            for number, client in enumerate(clients)
        ]
        try:
            seen = load.measure(asks, values.bench)
        except ValueError as error:
            raise UsageError(f"--bench={values.bench:g}: {error}; measure for longer") from None
    rate = seen.requests / seen.seconds
    latencies = ", ".join(f"p{share} {value:.1f} ms" for share, value in seen.percentiles.items())
    print(
        f"{seen.requests:,} requests of {values.count} picture{'' if values.count == 1 else 's'}"
        f" in {seen.seconds:g} s by {values.clients} client{'' if values.clients == 1 else 's'}"
        f" from {where}"
    )
    print(f"{rate:,.1f} requests/s, {rate * values.count:,.1f} pictures/s, {latencies}")
    if seen.busy >= BUSY:
        print(
            f"this process took {seen.busy:.0%} of a core, and so may be what limits the rate: run"
            " several of them"
        )


def _asking(client, count, seed, number, clients, label):
    """Returns what asks for pictures of seeds that no other client and no other request has."""
    most = max(1, (2**63 - 1 - seed) // count)  # of int64

    def ask(request):
        client.sample(count, seed + count * ((number + clients * request) % most), label)

    return ask
