"""`python -m benchmarks.serve`: the embedded server under load, beside what else one could run."""

import contextlib
import importlib.util
import signal
import subprocess
import sys
import tempfile
from typing import ClassVar

from benchmarks import exported, load, processes, report, runner, workload
from gan_keras.errors import UsageError, UserError

OURS, PEER, PREDICT = "ours", "tf-serving", "fastapi"
SCRIPT = "import sys; from gan_keras.cli.serve import run; sys.exit(run())"
READY = "gan-keras-sample"  # Of the last line that the server prints before it waits.
FASTAPI = "benchmarks.peers.fastapi_predict"
STOP_SECONDS = 30


class Serve:
    """Requests per second and latencies, by server, transport, clients and pictures."""

    name = "serve"
    summary = (
        "Measures requests per second and latencies of gan-keras-serve, of FastAPI with "
        "`model.predict`, and of TensorFlow Serving where its address is given, in turn and each "
        "time from fresh processes. A request is for PNG files."
    )
    flags: ClassVar = {
        "seconds": (5.0, "Seconds per measurement."),
        "warm_up": (1.0, "Seconds before each of them."),
        "clients": (["1", "4", "16", "64"], "How many at a time, each with one request."),
        "counts": (["1", "16"], "Pictures per request."),
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
        self.values, self.folder, self.facts = values, folder, {}
        servers = [(OURS, "grpc"), (OURS, "rest"), *((PEER, each) for each in self.peer)]
        self.export_dir = values.export_dir
        if not self.export_dir:
            self.export_dir = exported.make(folder, values.network)[1]
            if importlib.util.find_spec("fastapi") and importlib.util.find_spec("uvicorn"):
                servers.append((PREDICT, "rest"))
            else:
                print("left out fastapi: pip install --editable '.[bench]'")
        self.names = [
            f"{server} {transport} {clients} {count}"
            for count in _numbers("counts", values.counts, 64)
            for clients in _numbers("clients", values.clients, 100)
            for server, transport in servers
        ]

    def measure(self, name):
        server, transport, clients, count = name.split(" ")
        running = {
            OURS: lambda: embedded(self.export_dir),
            PREDICT: lambda: predicting(self.folder),
            PEER: lambda: contextlib.nullcontext(self.peer),
        }[server]
        with running() as addresses:
            return processes.measure(
                "benchmarks.load.measure",
                server=addresses[transport],
                transport=transport,
                clients=int(clients),
                count=int(count),
                warm_up=self.values.warm_up,
                seconds=self.values.seconds,
            )

    def line(self, result):
        shares = [f"p{share}" for share in load.PERCENTILES]
        latencies = ", ".join(f"{share} {result[share]:.1f} ms" for share in shares)
        busy = ", the client may limit" if result["client_cores"] > load.BUSY else ""
        return f"{result['requests_per_second']:,.1f} requests/s, {latencies}{busy}"

    def table(self, rounds):
        shares = [f"p{share}" for share in load.PERCENTILES]
        others = [each for each in (PREDICT, PEER) if any(each in name for name in self.names)]
        header = ["server", "transport", "clients", "pictures", "requests/s"]
        header += [f"{share}, ms" for share in shares] + [f"/ {each}" for each in others]
        rows = []
        for name in self.names:
            server, transport, *numbers = name.split(" ")
            speed = report.value(rounds, name, "requests_per_second", ",.1f")
            if any(results[name]["client_cores"] > load.BUSY for results in rounds):
                speed += " *"
            row = [server, transport, *numbers, speed]
            row += [report.value(rounds, name, share, ",.1f") for share in shares]
            for other in others:
                # FastAPI has no gRPC: both ways to this server are compared with its one.
                its = " ".join([other, "rest" if other == PREDICT else transport, *numbers])
                pair = server == OURS and its in self.names
                row.append(report.ratio(rounds, name, its, "requests_per_second") if pair else "")
            rows.append(row)
        return (
            f"{report.table(header, rows)}\n\n{report.caption(rounds)} The clients, in "
            f"{load.PROCESSES} processes, run on the same machine unless the server is elsewhere; "
            f"* marks where one of them took more than {load.BUSY:g} of a core, and may have been "
            "what limits."
        )


def _numbers(flag, texts, most):
    """Returns the numbers of a list flag, from 1 to `most`."""
    for text in texts:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            raise UsageError(f"--{flag}={','.join(texts)}: numbers from 1 to {most} expected")
    return [int(text) for text in texts]


@contextlib.contextmanager
def embedded(export_dir):
    """Runs `gan-keras-serve` on free ports; yields "HOST:PORT" of `grpc` and of `rest`.

    Raises:
        UserError: it did not start.
    """
    with processes.held_addresses(2) as held:
        ports = [address.split(":")[1] for address in held]
        flags = [f"--model_base_path={export_dir}"]
        flags += [f"--port={ports[0]}", f"--rest_api_port={ports[1]}"]
        with _running(["-c", SCRIPT, *flags], READY, f"--export_dir={export_dir}"):
            yield dict(zip(("grpc", "rest"), held, strict=True))


@contextlib.contextmanager
def predicting(folder):
    """Runs `benchmarks.peers.fastapi_predict` for the run in a folder, likewise."""
    with processes.held_addresses(1) as (address,):
        command = ["-m", FASTAPI, str(folder), address.split(":")[1]]
        with _running(command, "ready", FASTAPI):
            yield {"rest": address}


@contextlib.contextmanager
def _running(arguments, ready, what):
    """Runs Python until the block ends; begins it once a line that has `ready` was printed."""
    with tempfile.TemporaryFile("w+") as errors:
        server = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=processes.ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            if not any(ready in line for line in server.stdout):
                errors.seek(0)
                raise UserError(f"{what}: {errors.read().strip()}")
            yield
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
