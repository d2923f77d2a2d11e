"""`gan-keras-sample`: pictures of a server, a run or an export, as one PNG file."""

import contextlib
import os
import re
import shlex
import time
from pathlib import Path

from absl import flags as absl_flags

from gan_keras.cli import flags, walk
from gan_keras.errors import UsageError
from gan_keras.exporting import contract
from gan_keras.exporting.interpolation import slerp

PROGRAM = "gan-keras-sample"
SUMMARY = (
    "Asks a server, a run or an export for pictures of consecutive seeds, or of a walk from one "
    "seed to another, and writes them as one PNG file."
)

PORTS = {"grpc": contract.GRPC_PORT, "rest": contract.REST_PORT}
MOST_PICTURES = 10_000  # a grid of 100 by 100; beyond that no viewer shows it
DEFAULT_OUTPUT = "grid.png"
# Flags that the next command has too.
_KEPT = (
    *("load", "checkpoint", "server", "transport", "count", "label", "truncation", "frames"),
    *("model", "version", "version_label", "timeout"),
)
# Flags of the server, which what is loaded has no use for.
_SERVER = ("server", "transport", "model", "version", "version_label", "timeout")
MOST_FRAMES = 60  # There and back they are as many as an animation shows.


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _sample(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_string(
        "server",
        None,
        f"HOST:PORT (default: 127.0.0.1 and {PORTS['grpc']} for grpc, {PORTS['rest']} for rest); "
        "http://HOST:PORT is asked over rest.",
        flag_values=values,
    )
    absl_flags.DEFINE_enum(
        "transport", "grpc", list(PORTS), "grpc, or rest, which starts faster.", flag_values=values
    )
    absl_flags.DEFINE_integer(
        "count", 64, "Pictures.", lower_bound=1, upper_bound=MOST_PICTURES, flag_values=values
    )
    absl_flags.DEFINE_integer(
        "seed", 0, "Seed of the first picture; the next has the next one.", flag_values=values
    )
    absl_flags.DEFINE_integer(
        "label",
        None,
        "Number of the class to draw, of a model with classes (default: drawn from each seed).",
        lower_bound=0,
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "interpolate",
        None,
        "SEED_A,SEED_B: a walk between the latents of two seeds, on the sphere, as a strip "
        "(--output) and as an animation (the same name, .gif).",
        flag_values=values,
    )
    absl_flags.DEFINE_integer(
        "frames", 24, "interpolate: pictures of the walk, both ends included.",
        lower_bound=2, upper_bound=MOST_FRAMES, flag_values=values,
    )  # fmt: skip
    absl_flags.DEFINE_float(
        "truncation",
        1.0,
        "What latents are multiplied by: less makes pictures more typical and less varied. Of a "
        "model with classes it takes --label.",
        lower_bound=0.0,
        upper_bound=1.0,
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "load",
        None,
        "Folder of a run or of an export, or pretrained:NAME, to sample from without a server.",
        flag_values=values,
    )
    flags.define_checkpoint(values)
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
    absl_flags.DEFINE_float("timeout", 60.0, "Seconds for all of it.", flag_values=values)


def _sample(values):
    output = Path(values.output)
    _check_output(output)
    ends = _ends(values)
    with _source(values) as (source, where):
        start = time.perf_counter()
        pictures = _pictures(values, source, ends)
        milliseconds = 1000 * (time.perf_counter() - start)
    written = _write(output, pictures, ends)
    count, height, width, channels = pictures.shape
    print(
        f"wrote {written}: {count} picture{'s' * (count > 1)} of "
        f"{height}x{width}x{channels} in {milliseconds:.0f} ms from {where}"
    )
    print(f"next:  {_next_command(values, ends)}")


def _ends(values):
    """Returns the two seeds of a walk, or None."""
    if values.interpolate is None:
        if values["frames"].present:
            raise UsageError(f"--frames={values.frames}: goes with --interpolate=SEED_A,SEED_B")
        return None
    found = re.fullmatch(r"\s*(-?\d{1,19})\s*,\s*(-?\d{1,19})\s*", values.interpolate, re.ASCII)
    if not found:
        raise UsageError(
            f"--interpolate={values.interpolate}: give two seeds, as --interpolate=3,8"
        )
    for name in ("count", "seed"):
        if values[name].present:
            raise UsageError(f"--{name}={values[name].value}: not beside --interpolate; omit it")
    return int(found[1]), int(found[2])


@contextlib.contextmanager
def _source(values):
    """Yields what pictures are asked of, and its name."""
    if values.load is not None:
        for name in _SERVER:
            if values[name].present:
                raise UsageError(f"--{name} and --load={values.load}: choose one of them")
        checkpoint = flags.checkpoint(values)
        flags.import_tensorflow()
        from gan_keras import exporting

        yield exporting.load(values.load, checkpoint), values.load
        return
    if values.checkpoint is not None:
        raise UsageError(f"--checkpoint={values.checkpoint}: goes with --load, of a run")
    server, transport = _address(values)
    if transport == "grpc":
        flags.import_tensorflow()
    from gan_keras.client import Client

    with Client(
        server, transport, values.model, values.timeout, values.version, values.version_label
    ) as client:
        yield client, f"{server} over {transport}"


def _pictures(values, source, ends):
    """Returns what was asked for, uint8 (n, height, width, channels)."""
    if ends is None and values.truncation == 1:
        return source.sample(values.count, values.seed, values.label)
    from gan_keras.drawing import images

    if ends is None:
        latents = source.latents(values.count, values.seed)
    else:
        latents = slerp(*(source.latents(1, seed)[0] for seed in ends), values.frames)
    return images.to_uint8(source.generate(values.truncation * latents, values.label))


def _write(output, pictures, ends):
    """Writes the files, and returns their names for a person."""
    from gan_keras.drawing import images

    animation = output.with_suffix(".gif")
    try:
        if ends is not None:
            walk.save_animation(animation, pictures)
            images.save_png(output, walk.strip(pictures))
            return f"{output} and {animation}"
        images.save_png(output, pictures[0] if len(pictures) == 1 else images.grid(pictures))
        return str(output)
    except OSError as error:
        raise UsageError(f"--output={output}: {error.strerror or error}") from None


def _address(values):
    """Returns HOST:PORT, and the transport to ask it over."""
    server, transport = values.server, values.transport
    if server is None:
        return f"127.0.0.1:{PORTS[transport]}", transport
    scheme, found, rest = server.partition("://")
    if not found:
        return server, transport
    if scheme.lower() != "http":
        raise UsageError(
            f"--server={server}: connections are not encrypted; give HOST:PORT or http://HOST:PORT"
        )
    if values["transport"].present and transport != "rest":
        raise UsageError(
            f"--server={server}: is asked over rest; leave --transport={transport} away, or give "
            "HOST:PORT of the gRPC port"
        )
    return rest.removesuffix("/"), "rest"


def _check_output(output):
    """Finds what can be found before the server is bothered."""
    folder = output.parent
    if output.is_dir():
        raise UsageError(f"--output={output}: is a folder; name a file in it")
    if output.suffix.lower() != ".png":
        raise UsageError(f"--output={output}: the name must end in .png")
    if not folder.is_dir():
        raise UsageError(f"--output={output}: folder {folder} does not exist; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--output={output}: folder {folder} cannot be written to")


def _next_command(values, ends):
    """The same command, for the seeds that follow."""
    command = [PROGRAM]
    for name in _KEPT:
        if values[name].value != values[name].default:
            command.append(f"--{name}={values[name].value}")
    if ends is not None:
        following = f"--interpolate={ends[1]},{ends[1] + 1 if ends[1] < 2**63 - 1 else 0}"
        output = Path(values.output).with_name(f"from_seed_{ends[1]}.png")
        return shlex.join([*command, following, f"--output={output}"])
    seed = values.seed + values.count
    if seed + values.count > 2**63:  # no seeds are left: int64
        seed = 0
    output = Path(values.output)
    return shlex.join(
        [*command, f"--seed={seed}", f"--output={output.with_name(f'from_seed_{seed}.png')}"]
    )
