"""`gan-keras-sample`: pictures of a server, a run or an export, as one PNG file."""

import contextlib
import logging
import os
import shlex
import time
from pathlib import Path

from absl import flags as absl_flags

from gan_keras.cli import bench, flags, looking, tokens
from gan_keras.errors import UsageError
from gan_keras.exporting import contract

PROGRAM = "gan-keras-sample"
SUMMARY = (
    "Asks a server, or what --load names, for pictures of consecutive seeds, or of a walk from one "
    "seed to another, and writes them as one PNG file; with --bench it prints how fast they come."
)

PORTS = {"grpc": contract.GRPC_PORT, "rest": contract.REST_PORT}
MOST_PICTURES = 10_000  # a grid of 100 by 100; beyond that no viewer shows it
DEFAULT_OUTPUT = "grid.png"
# Flags that the next command has too.
_KEPT = (
    *("server", "transport", "count", "label", "model", "version", "version_label", "timeout"),
    *("tls", "ca_cert", "token_file"),
    *looking.FLAGS,
)


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _sample(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_string(
        "server",
        None,
        f"HOST:PORT (default: 127.0.0.1 and {PORTS['grpc']} for grpc, {PORTS['rest']} for rest); "
        "http://HOST:PORT is asked over rest, https://HOST:PORT over rest with --tls.",
        flag_values=values,
    )
    absl_flags.DEFINE_enum(
        "transport", "grpc", list(PORTS), "How the server is asked.", flag_values=values
    )
    absl_flags.DEFINE_integer(
        "count", 64, "Pictures.", lower_bound=1, upper_bound=MOST_PICTURES, flag_values=values
    )
    absl_flags.DEFINE_integer(
        "seed", 0, "Seed of the first picture; the next has the next one.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "label",
        None,
        "Class to draw, by number or by name, of a model with classes (default: drawn from each"
        " seed).",
        flag_values=values,
    )
    looking.define(values)
    absl_flags.DEFINE_string(
        "output", DEFAULT_OUTPUT, "PNG file to write, in a folder that exists.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "model", contract.MODEL_NAME, "Name of the model on the server.", flag_values=values
    )
    absl_flags.DEFINE_integer(
        "version",
        None,
        "Version of the model (default: the server's choice).",
        lower_bound=0,
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "version_label", None, "Label of the version, instead of its number.", flag_values=values
    )
    absl_flags.DEFINE_float(
        "timeout", 60.0, "Seconds for all of it; of --bench for each request.", flag_values=values
    )
    tokens.define_for_clients(values)
    absl_flags.DEFINE_boolean(
        "verbose", False, "Print bytes and latency of each request.", flag_values=values
    )
    bench.define(values)


def _sample(values):
    with _verbose(values.verbose):
        if bench.wanted(values):
            server, transport = _address(values)
            where = f"{server} over {transport}"
            label = looking.label(values)
            return bench.run(values, lambda: _client(values, server, transport), label, where)
        return _pictures(values)


def _pictures(values):
    output = Path(values.output)
    _check_output(output)
    if looking.wanted(values):
        told, following = looking.draw(values, output, lambda: _connected(values))
        print(told)
        print(f"next:  {_next_command(values, following)}")
        return
    server, transport = _address(values)
    from gan_keras.drawing import images

    with _client(values, server, transport) as client:
        start = time.perf_counter()
        pictures = client.sample(values.count, values.seed, looking.label(values))
        milliseconds = 1000 * (time.perf_counter() - start)
    try:
        alone = len(pictures) == 1
        sheet = pictures[0] if alone else images.grid(pictures)
        images.save_png(output, sheet)
    except OSError as error:
        raise UsageError(f"--output={output}: {error.strerror or error}") from None
    _, height, width, channels = pictures.shape
    print(
        f"wrote {output}: {values.count} picture{'' if alone else 's'} of "
        f"{height}x{width}x{channels} in {milliseconds:.0f} ms from {server} over {transport}"
    )
    if not alone:
        print(
            f"grid:  {sheet.shape[0]}x{sheet.shape[1]} pixels: each picture enlarged "
            f"{images.enlargement(height)} times, {images.GAP} white pixels between two"
        )
    print(f"next:  {_next_command(values)}")


@contextlib.contextmanager
def _connected(values):
    """Yields the client of the server, and its name."""
    server, transport = _address(values)
    with _client(values, server, transport) as client:
        yield client, f"{server} over {transport}"


def _client(values, server, transport):
    from gan_keras.client import Client

    return Client(
        server,
        transport,
        values.model,
        values.timeout,
        values.version,
        values.version_label,
        tls=values.tls or (values.server or "").lower().startswith("https://"),
        ca_cert=values.ca_cert,
        token=tokens.read(values.token_file),
    )


@contextlib.contextmanager
def _verbose(wanted):
    """Has the client report each request, on standard output as all reports are."""
    reports = logging.getLogger("gan_keras.client")
    before = reports.level
    if wanted:
        reports.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        reports.setLevel(before)


def _address(values):
    """Returns HOST:PORT, and the transport to ask it over."""
    server, transport = values.server, values.transport
    if server is None:
        return f"127.0.0.1:{PORTS[transport]}", transport
    scheme, found, rest = server.partition("://")
    if not found:
        return server, transport
    if scheme.lower() not in ("http", "https"):
        raise UsageError(
            f"--server={server}: give HOST:PORT, http://HOST:PORT or https://HOST:PORT"
        )
    if scheme.lower() == "http" and (values.tls or values.ca_cert):
        flag = f"--ca_cert={values.ca_cert}" if values.ca_cert else "--tls"
        raise UsageError(f"--server={server}: http is not encrypted; omit {flag}, or give https")
    if values["transport"].present and transport != "rest":
        raise UsageError(
            f"--server={server}: is asked over rest; omit --transport={transport}, or give "
            "HOST:PORT of the gRPC port"
        )
    return rest.removesuffix("/"), "rest"


def _check_output(output):
    """Finds what can be found before the server is bothered."""
    folder = output.parent
    if os.path.isdir(output):  # Unlike pathlib's, it takes a name that is too long.
        raise UsageError(f"--output={output}: is a folder; name a file in it")
    if output.suffix.lower() != ".png":
        raise UsageError(f"--output={output}: the name must end in .png")
    if not os.path.isdir(folder):
        raise UsageError(f"--output={output}: folder {folder} does not exist; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--output={output}: folder {folder} cannot be written to")


def _next_command(values, following=None):
    """The same command, for the seeds that follow, or for the walk that follows."""
    command = [PROGRAM]
    for name in _KEPT:
        if values[name].value != values[name].default:
            command.append(f"--{name}={values[name].value}")
    seed = values.seed + values.count
    if seed + values.count > 2**63:  # no seeds are left: int64
        seed = 0
    name = f"from_seed_{seed}.png" if following is None else "walk.png"
    return shlex.join(
        [*command, following or f"--seed={seed}", f"--output={Path(values.output).with_name(name)}"]
    )
