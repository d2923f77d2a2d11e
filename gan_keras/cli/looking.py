"""The part of `gan-keras-sample` that goes by latents, and what is loaded instead of asked.

A walk between two seeds, truncation, and pictures of a run, an export or a shipped model.
"""

import contextlib
import math
import re
import time

from absl import flags as absl_flags

from gan_keras.cli import flags
from gan_keras.errors import UsageError

FLAGS = ("load", "checkpoint", "truncation", "frames")  # That the next command has too.
# Of a server, which what is loaded has no use for.
SERVER = (
    *("server", "transport", "model", "version", "version_label", "timeout"),
    *("tls", "ca_cert", "token_file"),
)
MOST_FRAMES = 60  # There and back they are as many as an animation shows.
STRIP = 12  # Pictures of the strip: more are too small on a screen.
GIF_HEIGHT = 192  # Pixels of the animation, at least.
SECONDS = 0.08  # Of a frame.


def define(values):
    """Defines the flags."""
    absl_flags.DEFINE_string(
        "interpolate",
        None,
        "SEED_A,SEED_B: walk between the latents of two seeds, along a sphere; write a strip "
        "(--output) and an animation (the same name, .gif). A model with classes needs --label.",
        flag_values=values,
    )
    absl_flags.DEFINE_integer(
        "frames", 24, "interpolate: pictures of the walk, both ends included.",
        lower_bound=2, upper_bound=MOST_FRAMES, flag_values=values,
    )  # fmt: skip
    absl_flags.DEFINE_float(
        "truncation",
        1.0,
        "Factor of the latents; below 1: more typical, less varied pictures. A model with classes "
        "needs --label.",
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


def wanted(values):
    """Whether one of the flags asks for more than the pictures of seeds by a server.

    Raises:
        UsageError: flags that do not go together.
    """
    if values.interpolate is None and values["frames"].present:
        raise UsageError(f"--frames={values.frames}: goes with --interpolate=SEED_A,SEED_B")
    if values.interpolate is not None:
        for name in ("count", "seed"):
            if values[name].present:
                raise UsageError(
                    f"--{name}={values[name].value}: not beside --interpolate; omit it"
                )
    if values.load is None and values.checkpoint is not None:
        raise UsageError(f"--checkpoint={values.checkpoint}: goes with --load, of a run")
    if values.load is not None:
        for name in SERVER:
            if values[name].present:
                raise UsageError(f"--{name} and --load={values.load}: choose one of them")
    return values.load is not None or values.interpolate is not None or values.truncation != 1


def draw(values, output, connect):
    """Writes the pictures.

    Args:
        values: The flags.
        output: PNG file to write.
        connect: Function that returns a context of the client of the server, and its name.

    Returns:
        What was written, for a person, and the flag that the next command has instead of
        --seed; None where that has one.

    Raises:
        UserError: as `gan_keras.load` or the client.
        UsageError: a flag out of range, or the file cannot be written.
    """
    ends = _ends(values)
    with _loaded(values) if values.load is not None else connect() as (source, where):
        start = time.perf_counter()
        pictures = _pictures(values, source, ends)
        milliseconds = 1000 * (time.perf_counter() - start)
    written = _write(output, pictures, ends)
    count, height, width, channels = pictures.shape
    told = (
        f"wrote {written}: {count} picture{'s' * (count > 1)} of "
        f"{height}x{width}x{channels} in {milliseconds:.0f} ms from {where}"
    )
    if ends is None:
        return told, None
    return told, f"--interpolate={ends[1]},{ends[1] + 1 if ends[1] < 2**63 - 1 else 0}"


def label(values):
    """The class that --label names: digits are a number, and anything else a name."""
    text = values.label
    return int(text) if text and re.fullmatch(r"-?[0-9]+", text) else text


def _ends(values):
    """Returns the two seeds of a walk, or None."""
    if values.interpolate is None:
        return None
    found = re.fullmatch(r"\s*(-?\d{1,19})\s*,\s*(-?\d{1,19})\s*", values.interpolate, re.ASCII)
    if not found:
        raise UsageError(
            f"--interpolate={values.interpolate}: give two seeds, as --interpolate=3,8"
        )
    return int(found[1]), int(found[2])


@contextlib.contextmanager
def _loaded(values):
    checkpoint = flags.checkpoint(values)
    flags.import_tensorflow()
    from gan_keras import exporting

    loaded = exporting.load(values.load, checkpoint)
    flag = "truncation" if values.interpolate is None else "interpolate"
    if loaded.classes and values.label is None and values[flag].value not in (None, 1.0):
        raise UsageError(
            f"--{flag}={values[flag].value}: {values.load} has {len(loaded.classes)} classes; "
            "give --label too"
        )
    yield loaded, values.load


def _pictures(values, source, ends):
    """Returns what was asked for, uint8 (n, height, width, channels)."""
    if ends is None and values.truncation == 1:
        return source.sample(values.count, values.seed, label(values))
    from gan_keras.drawing import images
    from gan_keras.exporting.interpolation import slerp

    if ends is None:
        latents = source.latents(values.count, values.seed)
    else:
        latents = slerp(*(source.latents(1, seed)[0] for seed in ends), values.frames)
    return images.to_uint8(source.generate(values.truncation * latents, label(values)))


def _write(output, pictures, ends):
    """Writes the files, and returns their names for a person."""
    from gan_keras.drawing import images

    animation = output.with_suffix(".gif")
    try:
        if ends is not None:
            save_animation(animation, pictures)
            images.save_png(output, strip(pictures))
            return f"{output} and {animation}"
        images.save_png(output, pictures[0] if len(pictures) == 1 else images.grid(pictures))
        return str(output)
    except OSError as error:
        raise UsageError(f"--output={output}: {error.strerror or error}") from None


def strip(pictures):
    """Returns a walk as one row of pictures, spread evenly if there are many, with both ends.

    Args:
        pictures: (n, height, width, channels) uint8, n >= 2.

    Returns:
        (H, W, channels) uint8.
    """
    import numpy as np

    from gan_keras.drawing import images

    chosen = np.linspace(0, len(pictures) - 1, min(STRIP, len(pictures))).round().astype(int)
    return images.grid(pictures[chosen], columns=len(chosen))


def save_animation(path, pictures):
    """Writes a walk there and back as a GIF that loops, whole or not at all.

    Args:
        path: The file; its folder must exist.
        pictures: As of `strip`.

    Raises:
        OSError: it cannot be written.
    """
    import numpy as np

    from gan_keras.drawing import figures, images  # With matplotlib: imported for those who ask.

    scale = math.ceil(GIF_HEIGHT / pictures.shape[1])
    frames = [images.grid(picture[np.newaxis], scale=scale) for picture in pictures]
    frames = [np.broadcast_to(frame, (*frame.shape[:2], 3)) for frame in frames]
    figures.save_gif(path, [*frames, *frames[-2:0:-1]], SECONDS, SECONDS)
