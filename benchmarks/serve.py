"""`python -m benchmarks.serve`: latencies that clients of the embedded server see, and its peer."""

import contextlib
import signal
import subprocess
import sys
import tempfile
from typing import ClassVar

from benchmarks import exported, processes, report, runner, workload
from benchmarks.load import PERCENTILES
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract

CLIENTS = (1, 8)
OURS, PEER = "ours", "tf-serving"
SCRIPT = "import sys; from gan_keras.cli.serve import run; sys.exit(run())"
READY = "gan-keras-sample"  # Of the last line that the server prints before it waits.
STOP_SECONDS = 30


class Serve:
    """Requests per second and latencies, by server, transport and number of clients."""

    name = "serve"
    summary = (
        "Measures requests per second and latencies of gan-keras-serve, and of TensorFlow Serving "
        "where its address is given, in turn and each time from fresh processes."
    )
    flags: ClassVar = {
        "seconds": (5.0, "Seconds per measurement."),
        "warm_up": (1.0, "Seconds before each of them."),
        "count": (16, "Pictures per request.", range(1, contract.MAX_BATCH_SIZE + 1)),
        "network": ("dcgan", "Whose generator.", workload.NETWORKS),
        "export_dir": (None, "What to serve, of gan-keras-export (default: one made for this)."),
        "server": (None, "HOST:PORT of TensorFlow Serving's gRPC; it has to serve --export_dir."),
        "rest_server": (None, "HOST:PORT of TensorFlow Serving's REST."),
    }

    def __init__(self, values, folder):
        addresses = {"grpc": values.server, "rest": values.rest_server}
        self.peer = {transport: each for transport, each in addresses.items() if each}
        if self.peer and not values.export_dir:
            flag = "server" if values.server else "rest_server"
            raise UsageError(
                f"--{flag}={next(iter(self.peer.values()))}: give --export_dir too, so that both "
                "serve the same generator"
            )
        if not self.peer:
            print("left out tf-serving: start a server and give --server=HOST:PORT")
        self.values = values
        self.facts = {}
        self.names = [
            f"{server} {transport} {clients}"
            for transport in addresses
            for clients in CLIENTS
            for server in (OURS, PEER)
            if server == OURS or transport in self.peer
        ]
        self.export_dir = values.export_dir or exported.make(folder, values.network)[1]

    def measure(self, name):
        server, transport, clients = name.split(" ")
        running = embedded(self.export_dir) if server == OURS else contextlib.nullcontext(self.peer)
        with running as addresses:
            return processes.measure(
                "benchmarks.load.measure",
                server=addresses[transport],
                transport=transport,
                clients=int(clients),
                count=self.values.count,
                warm_up=self.values.warm_up,
                seconds=self.values.seconds,
            )

    def line(self, result):
        latencies = ", ".join(f"p{share} {result[f'p{share}']:.1f} ms" for share in PERCENTILES)
        return f"{result['requests_per_second']:,.1f} requests/s, {latencies}"

    def table(self, rounds):
        shares = [f"p{share}" for share in PERCENTILES]
        header = ["server", "transport", "clients", "requests/s"]
        header += [f"{share}, ms" for share in shares] + [f"/ {PEER}"] * bool(self.peer)
        rows = []
        for name in self.names:
            keys = ["requests_per_second", *shares]
            row = name.split(" ") + [report.value(rounds, name, key, ",.1f") for key in keys]
            if self.peer:
                other = name.replace(OURS, PEER, 1)
                pair = name != other and other in self.names
                row.append(report.ratio(rounds, name, other, keys[0]) if pair else "")
            rows.append(row)
        return (
            f"{report.table(header, rows)}\n\n{report.caption(rounds)} {self.values.count} "
            "pictures per request, decoded by the client, which runs on the same machine unless "
            "the server is elsewhere."
        )


@contextlib.contextmanager
def embedded(export_dir):
    """Runs `gan-keras-serve` on free ports; yields "HOST:PORT" of `grpc` and of `rest`.

    Raises:
        UserError: it did not start.
    """
    with processes.held_addresses(2) as held, tempfile.TemporaryFile("w+") as errors:
        ports = [address.split(":")[1] for address in held]
        flags = [f"--model_base_path={export_dir}"]
        flags += [f"--port={ports[0]}", f"--rest_api_port={ports[1]}"]
        server = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *flags],
            cwd=processes.ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            if not any(READY in line for line in server.stdout):
                errors.seek(0)
                raise UserError(f"--export_dir={export_dir}: {errors.read().strip()}")
            yield dict(zip(("grpc", "rest"), held, strict=True))
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            server.stdout.close()


if __name__ == "__main__":
    sys.exit(runner.run(Serve))
