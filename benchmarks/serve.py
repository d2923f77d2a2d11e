"""`python -m benchmarks.serve`: the embedded server under load, beside FastAPI."""

import contextlib
import importlib.util
import subprocess
import sys
import tempfile
from typing import ClassVar

from benchmarks import clients, commands, contestants, processes, report, runner
from gan_keras.errors import UserError

OURS, PREDICT = "ours", "fastapi"
SCRIPT = "import sys; from gan_keras.cli.serve import run; sys.exit(run())"
READY = {OURS: "gan-keras-sample", PREDICT: "ready"}  # In the line that says that it waits.
BUSY = 0.8  # of a core: then it may be the clients that limit


class Serve(runner.Benchmark):
    """Requests per second and latencies, by server, transport, clients and pictures."""

    name = "serve"
    summary = (
        "Measures requests per second and latencies of gan-keras-serve and of FastAPI with "
        "`model.predict`, in turn and each time from fresh processes. A request is for PNG files."
    )
    flags: ClassVar = {
        "seconds": (5.0, "Seconds per measurement."),
        "warm_up": (1.0, "Seconds before each of them."),
        "clients": (["1", "4", "16", "64"], "How many at a time, each with one request."),
        "counts": (["1", "16"], "Pictures per request."),
    }
    title = "server, transport, clients, pictures"
    columns = (
        report.Column(
            "requests/s", "requests_per_second", ",.1f", {f"/ {PREDICT}": lambda name: _peer(name)}
        ),
        *(report.Column(f"{share}, ms", share, ",.1f") for share in ("p50", "p90", "p99")),
        report.Column("clients' cores", "client_cores", ".2f"),
    )

    def __init__(self, values, folder):
        commands.exports(folder)
        servers = [(OURS, "grpc"), (OURS, "rest"), (PREDICT, "rest")]
        if not (importlib.util.find_spec("fastapi") and importlib.util.find_spec("uvicorn")):
            print(f"left out {servers.pop()[0]}: {contestants.INSTALL}")
        same = {"folder": str(folder), "warm_up": values.warm_up, "seconds": values.seconds}
        self.parts = {}
        for count in runner.numbers("counts", values.counts, 64):
            for asking in runner.numbers("clients", values.clients, 100):
                for server, transport in servers:
                    load = {"transport": transport, "clients": asking, "count": count}
                    part = ("serve.measure", {"server": server, **load, **same})
                    self.parts[f"{server} {transport} {asking} {count}"] = part

    def table(self, rounds):
        return (
            f"{super().table(rounds)} The clients run on the same machine, in "
            f"{clients.PROCESSES} processes; where one of them takes more than {BUSY:g} of a core, "
            "it may be what limits."
        )


def measure(server, folder, transport, **load):
    """Measures a server that it starts, by the clients of `clients.measure`."""
    with started(server, folder) as addresses:
        return clients.measure(addresses[transport], transport, **load)


def _peer(name):
    """Whom a server of ours is compared with: FastAPI, which has no gRPC, at the same load."""
    server, _, *numbers = name.split(" ")
    return " ".join([PREDICT, "rest", *numbers]) if server == OURS else None


@contextlib.contextmanager
def started(server, folder):
    """Runs a server of what `commands.exports` made; yields "HOST:PORT" by transport.

    Raises:
        UserError: it did not start.
    """
    with processes.held_addresses(2) as held, tempfile.TemporaryFile("w+") as errors:
        grpc, rest = (address.split(":")[1] for address in held)
        command = ["-m", "benchmarks.peers.fastapi_predict", folder, rest]
        if server == OURS:
            command = ["-c", SCRIPT, f"--model_base_path={folder}/{commands.EXPORT}"]
            command += [f"--port={grpc}", f"--rest_api_port={rest}"]
        streams = {"stdout": subprocess.PIPE, "stderr": errors, "text": True}
        process = subprocess.Popen([sys.executable, *command], cwd=processes.ROOT, **streams)
        try:
            if not any(READY[server] in line for line in process.stdout):
                errors.seek(0)
                raise UserError(f"{server}: {errors.read().strip()}")
            yield dict(zip(("grpc", "rest"), held, strict=True))
        finally:
            process.kill()  # Nobody waits for an answer.
            process.wait()
            process.stdout.close()


if __name__ == "__main__":
    sys.exit(runner.run(Serve))
