"""From picture files of any kind to pixels of one size."""

import concurrent.futures
import itertools
import os
import warnings

import numpy as np
from PIL import Image, ImageOps

# Others are not even tried, whatever a file calls itself: each decoder is an attack surface.
FORMATS = ("JPEG", "PNG", "WEBP")
MODES = {1: "L", 3: "RGB"}
CHUNK = 256  # Pictures between two rounds of the threads, so that memory stays bounded.


def read(file, size, channels):
    """Reads one picture.

    It is turned upright by its EXIF orientation, laid on white where it is transparent, cut to
    the square at its centre and resized with a Lanczos filter; one that has the wanted size
    keeps its pixels. Of an animation the first frame counts.

    Args:
        file: A path or a binary file.
        size: Wanted height and width.
        channels: 1 for grey, 3 for RGB.

    Returns:
        (size, size, channels) uint8.

    Raises:
        Exception: it cannot be decoded, or has more than `PIL.Image.MAX_IMAGE_PIXELS` pixels;
            of which type is up to the decoder.
    """
    with Image.open(file, formats=FORMATS) as picture:
        # Pillow itself only warns up to twice that number.
        if picture.width * picture.height > Image.MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError(
                f"{picture.width}x{picture.height} pixels, more than {Image.MAX_IMAGE_PIXELS:,}"
            )
        # A JPEG file decodes faster at a half, quarter or eighth of its size. Twice of what is
        # wanted leaves the filter enough to work on.
        picture.draft(None, (2 * size, 2 * size))
        return fit(_opaque(ImageOps.exif_transpose(picture)), size, channels)


def fit(picture, size, channels):
    """Returns the centre of an 8-bit picture as (size, size, channels) uint8."""
    picture = picture.convert(MODES[channels])
    if picture.size != (size, size):
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(picture).reshape(size, size, channels)


def _opaque(picture):
    """Returns the picture with 8 bits per channel and without transparency."""
    if picture.mode.startswith("I"):  # 16 bits, which `convert` would clip and not scale.
        levels = np.clip(np.asarray(picture).astype(np.float64), 0, 65535)
        return Image.fromarray(np.rint(levels / 257).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture


def read_all(files, size, channels, skipped):
    """Reads pictures with several threads, in order, and skips those that are broken.

    Args:
        files: Iterable of (name, file), the file as in `read`.
        size: As in `read`.
        channels: As in `read`.
        skipped: List to which (name, reason) is added for every broken file.

    Yields:
        (read, pixels): how many files were read, broken ones included, and what came of them,
        (n, size, size, channels) uint8 with n <= read.
    """

    def attempt(named):
        name, file = named
        try:
            return read(file, size, channels)
        except Exception as error:  # Decoders raise what they like.
            return name, _reason(error)

    files = iter(files)
    with (
        warnings.catch_warnings(),
        # Most of the work is in Pillow's C code, which lets other threads run.
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        # Pillow's remarks on odd files do not say which file is meant.
        warnings.simplefilter("ignore")
        while chunk := list(itertools.islice(files, CHUNK)):
            results = list(threads.map(attempt, chunk))
            pixels = [result for result in results if isinstance(result, np.ndarray)]
            skipped.extend(result for result in results if isinstance(result, tuple))
            yield len(chunk), np.array(pixels, np.uint8).reshape(-1, size, size, channels)


def _reason(error):
    """One line for a person, without the file's name, which stands before it."""
    if isinstance(error, Image.UnidentifiedImageError):
        return f"no picture of the formats {', '.join(FORMATS)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
