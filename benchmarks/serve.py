"""`python -m benchmarks.serve`: the embedded server under load, beside what else one could run."""

import contextlib
import importlib.util
import subprocess
import sys
import tempfile
from typing import ClassVar

from benchmarks import commands, contestants, load, processes, report, runner
from gan_keras.errors import UsageError, UserError

OURS, PEER, PREDICT = "ours", "tf-serving", "fastapi"
SCRIPT = "import sys; from gan_keras.cli.serve import run; sys.exit(run())"
READY = {OURS: "gan-keras-sample", PREDICT: "ready"}  # In the line that says that it waits.
BUSY = 0.8  # of a core: then it may be the clients that limit


class Serve(runner.Benchmark):
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
        "export_dir": (None, "What to serve, of gan-keras-export (default: one made for this)."),
        "server": (None, "HOST:PORT of TensorFlow Serving's gRPC; it has to serve --export_dir."),
        "rest_server": (None, "HOST:PORT of TensorFlow Serving's REST."),
    }
    title = "server, transport, clients, pictures"

    def __init__(self, values, folder):
        export_dir = values.export_dir or str(folder / commands.EXPORT)
        servers = [(OURS, "grpc", export_dir), (OURS, "rest", export_dir)]
        for flag, transport in (("server", "grpc"), ("rest_server", "rest")):
            if address := values[flag].value:
                servers.append((PEER, transport, address))
                if not values.export_dir:
                    raise UsageError(
                        f"--{flag}={address}: give --export_dir too, so that both serve the same "
                        "generator"
                    )
        if len(servers) == 2:
            print("left out tf-serving: start a server and give --server=HOST:PORT")
        if not values.export_dir:
            commands.exports(folder)
            if importlib.util.find_spec("fastapi") and importlib.util.find_spec("uvicorn"):
                servers.append((PREDICT, "rest", str(folder)))
            else:
                print(f"left out {PREDICT}: {contestants.INSTALL}")
        same = {"warm_up": values.warm_up, "seconds": values.seconds}
        self.parts = {}
        for count in runner.numbers("counts", values.counts, 64):
            for clients in runner.numbers("clients", values.clients, 100):
                for server, transport, source in servers:
                    about = {"server": server, "source": source, "transport": transport}
                    asked = {"clients": clients, "count": count}
                    part = ("serve.measure", about | asked | same)
                    self.parts[f"{server} {transport} {clients} {count}"] = part
        others = dict.fromkeys(server for server, *_ in servers if server != OURS)
        over = {f"/ {other}": lambda name, other=other: _same(name, other) for other in others}
        self.columns = (
            report.Column("requests/s", "requests_per_second", ",.1f", over),
            *(report.Column(f"{each}, ms", each, ",.1f") for each in ("p50", "p90", "p99")),
            report.Column("clients' cores", "client_cores", ".2f"),
        )

    def marked(self, rounds, name):
        return max(report.values(rounds, name, "client_cores")) > BUSY

    def table(self, rounds):
        return (
            f"{super().table(rounds)} The clients, in {load.PROCESSES} processes, run on the same "
            f"machine unless the server is elsewhere; * marks where one of them took more than "
            f"{BUSY:g} of a core, and may have been what limits."
        )


def _same(name, other):
    """The same load on another server, with which one of ours is compared."""
    server, transport, *numbers = name.split(" ")
    if server != OURS:
        return None
    # FastAPI has no gRPC: both ways to this server are compared with its one.
    return " ".join([other, "rest" if other == PREDICT else transport, *numbers])


def measure(server, source, transport, **asked):
    """Measures a server, which it starts unless it is the peer, by `load.measure`."""
    with started(server, source) as addresses:
        return load.measure(addresses[transport], transport, **asked)


@contextlib.contextmanager
def started(server, source):
    """Runs a server until the block ends; yields its "HOST:PORT" by transport.

    Args:
        server: OURS, PREDICT, or PEER, which runs already.
        source: What to serve: the folder of exports, that of `commands.exports`, or the address.

    Raises:
        UserError: it did not start.
    """
    if server == PEER:
        yield dict.fromkeys(("grpc", "rest"), source)
        return
    with processes.held_addresses(2) as held, tempfile.TemporaryFile("w+") as errors:
        grpc, rest = (address.split(":")[1] for address in held)
        command = ["-m", "benchmarks.peers.fastapi_predict", source, rest]
        if server == OURS:
            command = ["-c", SCRIPT, f"--model_base_path={source}"]
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
