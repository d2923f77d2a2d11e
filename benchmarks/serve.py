"""`python -m benchmarks.serve`: what clients of the embedded server feel, and of its peer."""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile

from absl import flags as absl_flags

from benchmarks import exported, machine, pairing, processes, report, work
from benchmarks.load import PERCENTILES
from gan_keras.cli import flags
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract

PROGRAM = "python -m benchmarks.serve"
SUMMARY = (
    "Measures requests per second and latencies of gan-keras-serve, and of TensorFlow Serving "
    "where it is named, in turn and each time from fresh processes."
)
CLIENTS = (1, 8)
OURS, PEER = "ours", "tf-serving"
SCRIPT = "import sys; from gan_keras.cli.serve import run; sys.exit(run())"
READY = "gan-keras-sample"  # Of the last line that the server prints before it waits.
STOP_SECONDS = 30


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _compare(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_integer(
        "rounds", 5, "How often everything is measured.", lower_bound=1, flag_values=values
    )
    absl_flags.DEFINE_float(
        "seconds", 5.0, "Seconds per measurement.", lower_bound=0.0, flag_values=values
    )
    absl_flags.DEFINE_float(
        "warm_up", 1.0, "Seconds before each of them.", lower_bound=0.0, flag_values=values
    )
    absl_flags.DEFINE_integer(
        "count",
        16,
        "Pictures per request.",
        lower_bound=1,
        upper_bound=contract.MAX_BATCH_SIZE,
        flag_values=values,
    )
    absl_flags.DEFINE_enum(
        "network", "dcgan", list(work.NETWORKS), "Whose generator.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "export_dir",
        None,
        "What to serve, of gan-keras-export (default: an export made for this).",
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "server",
        None,
        "HOST:PORT of TensorFlow Serving's gRPC, as a peer; it has to serve --export_dir.",
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "rest_server", None, "HOST:PORT of TensorFlow Serving's REST.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "output",
        None,
        "JSON file of the results (default: runs/benchmarks/serve-<network>.json).",
        flag_values=values,
    )


def _compare(values):
    peer = {
        transport: address
        for transport, address in (("grpc", values.server), ("rest", values.rest_server))
        if address
    }
    if peer and not values.export_dir:
        flag = "server" if values.server else "rest_server"
        raise UsageError(
            f"--{flag}={next(iter(peer.values()))}: give --export_dir too, so that both serve the "
            "same generator"
        )
    output = report.check_output(values.output or report.default_output(f"serve-{values.network}"))
    described = machine.announce()
    if not peer:
        print("left out tf-serving: no server named; start one and give --server=HOST:PORT")
    document = {
        "benchmark": "serve",
        "network": None if values.export_dir else values.network,
        "export_dir": values.export_dir,
        "peer": peer,
        "began": report.now(),
        "machine": described,
        "seconds": values.seconds,
        "warm_up": values.warm_up,
        "pictures_per_request": values.count,
        "rounds": [],
    }
    names = [
        name(server, transport, clients)
        for transport in ("grpc", "rest")
        for clients in CLIENTS
        for server in (OURS, PEER)
        if server == OURS or transport in peer
    ]
    with tempfile.TemporaryDirectory() as folder:
        export_dir = values.export_dir or exported.make(folder, values.network)[1]

        def measure(number, what):
            server, transport, clients = what.split(" ")
            with contextlib.ExitStack() as stack:
                if server == OURS:
                    where = stack.enter_context(embedded(export_dir))[transport]
                else:
                    where = peer[transport]
                result = processes.measure(
                    "benchmarks.load",
                    f"--server={where}",
                    f"--transport={transport}",
                    f"--clients={clients}",
                    f"--count={values.count}",
                    f"--warm_up={values.warm_up}",
                    f"--seconds={values.seconds}",
                )
            said = ", ".join(f"p{share} {ms:.1f} ms" for share, ms in result["latency"].items())
            rate = result["requests_per_second"]
            print(f"round {number}/{values.rounds}  {what}: {rate:,.1f} requests/s, {said}")
            sys.stdout.flush()
            return result

        for results in pairing.play(names, values.rounds, measure):
            document["rounds"].append(results)
            report.write(output, document)

    summary = summarise(document["rounds"])
    document |= {"ended": report.now(), **summary}
    text = describe(summary, values.count, values.rounds)
    report.write(output, document, text)
    print(f"\n{text}\n\nwrote {output} and {output.with_suffix('.md')}")


def name(server, transport, clients):
    """Returns the name of one measurement: server, transport and clients."""
    return f"{server} {transport} {clients}"


@contextlib.contextmanager
def embedded(export_dir):
    """Runs `gan-keras-serve` on free ports; yields "HOST:PORT" of `grpc` and of `rest`.

    Raises:
        UserError: it did not start.
    """
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [bound.getsockname()[1] for bound in sockets]
    for bound in sockets:
        bound.close()
    with tempfile.TemporaryFile("w+") as complaints:
        server = subprocess.Popen(
            [
                sys.executable,
                "-c",
                SCRIPT,
                f"--model_base_path={export_dir}",
                f"--port={ports[0]}",
                f"--rest_api_port={ports[1]}",
            ],
            cwd=processes.ROOT,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        try:
            if not any(READY in line for line in server.stdout):
                complaints.seek(0)
                raise UserError(f"--export_dir={export_dir}: {complaints.read().strip()}")
            yield {"grpc": f"127.0.0.1:{ports[0]}", "rest": f"127.0.0.1:{ports[1]}"}
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            server.stdout.close()


def summarise(rounds):
    """Reduces rounds to spreads.

    Args:
        rounds: Dicts from name to what `load.summarise` returns.

    Returns:
        A dict: requests_per_second, name -> Spread; latency, name -> percentile -> Spread, in
        milliseconds; and ratios, name -> Spread, of requests per second within a round: ours
        over TensorFlow Serving's, where that took part.
    """
    names = list(rounds[0])
    speeds = [
        {each: result["requests_per_second"] for each, result in results.items()}
        for results in rounds
    ]
    pairs = {each: each.replace(OURS, PEER, 1) for each in names if each.startswith(OURS)}
    return {
        "requests_per_second": {
            each: pairing.spread(numbers[each] for numbers in speeds) for each in names
        },
        "latency": {
            each: {
                str(share): pairing.spread(
                    results[each]["latency"][str(share)] for results in rounds
                )
                for share in PERCENTILES
            }
            for each in names
        },
        "ratios": {
            each: pairing.spread(pairing.ratios(speeds, each, other))
            for each, other in pairs.items()
            if other in names
        },
    }


def describe(summary, count, rounds):
    """Returns the summary as Markdown."""
    header = ["server", "transport", "clients", "requests/s"]
    header += [f"p{share}, ms" for share in PERCENTILES]
    if summary["ratios"]:
        header.append(f"/ {PEER}")
    rows = []
    for each, speed in summary["requests_per_second"].items():
        row = [*each.split(" "), report.number(speed, ",.1f")]
        row += [report.number(spread, ",.1f") for spread in summary["latency"][each].values()]
        if summary["ratios"]:
            ratio = summary["ratios"].get(each)
            row.append(report.ratio(ratio) if ratio else "")
        rows.append(row)
    said = (
        f"Median (least–most) of {rounds} rounds, {count} pictures per request, decoded by the "
        "client, which runs on the same machine unless the server is elsewhere."
    )
    return "\n\n".join([report.table(header, rows), said])


if __name__ == "__main__":
    sys.exit(run())
