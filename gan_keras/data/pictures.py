"""From picture files of any kind to pixels of one size."""

import concurrent.futures
import itertools
import os
import stat
import warnings

import numpy as np
from PIL import Image, ImageOps

# Others are not even tried, whatever a file calls itself: each decoder is an attack surface.
FORMATS = ("GIF", "JPEG", "PNG", "WEBP")
MODES = {1: "L", 3: "RGB"}
CHUNK = 256  # Pictures between two rounds of the threads, so that memory stays bounded;
CHUNK_BYTES = 2**26  # and what may come of them, if they are large.
# Pillow reads a whole chunk of a file before it tells the picture's size.
MAX_BYTES = 2**28
# Pillow's own limit: a quarter of a gigabyte as RGB. The header is compared with it, so that what
# claims more is never decoded.
MAX_PIXELS = 89_478_485
# Pictures with more are read by one thread: while it is decoded, turned and laid on white, a pixel
# takes up to 24 bytes, which for the largest is 2 GB. With a lock instead, every thread would
# still keep what its allocator does not give back.
LARGE_PIXELS = 2**22
ORIENTATION = 0x0112  # The EXIF tag.
# How to turn what has this orientation (EXIF 2.3, section 4.6.4).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(file, size, channels, most=MAX_PIXELS):
    """Reads one picture.

    It is turned upright by its EXIF orientation, laid on white where it is transparent, cut to
    the square at its centre and resized with a Lanczos filter; one that has the wanted size
    keeps its pixels. Of an animation only the first frame is used.

    Args:
        file: A path or a binary file.
        size: Wanted height and width.
        channels: 1 for grey, 3 for RGB.
        most: Pixels that are decoded, of those that the file has, or of the fewer that the
            decoder of a JPEG file that is not progressive makes of them.

    Returns:
        (size, size, channels) uint8; None, and nothing is decoded, if it has more than `most`.

    Raises:
        Exception: it cannot be decoded, is no regular file, or has more than `MAX_PIXELS`
            pixels; of which type is up to the decoder.
    """
    if isinstance(file, os.PathLike):
        check_regular(file)
    with Image.open(file, formats=FORMATS) as picture:
        pixels = picture.width * picture.height
        if pixels > MAX_PIXELS:  # Pillow itself only warns up to twice that number.
            raise Image.DecompressionBombError
        # A JPEG file decodes faster at a half, quarter or eighth of its size. Twice of what is
        # wanted leaves the filter enough to work on.
        picture.draft(None, (2 * size, 2 * size))
        # Of a progressive one the decoder keeps all coefficients, whatever it makes of them.
        if "progressive" not in picture.info:
            pixels = picture.width * picture.height
        if pixels > most:
            return None
        picture.load()
        return fit(_opaque(_upright(picture)), size, channels)


def check_regular(path):
    """Refuses what must not even be opened.

    Raises:
        OSError: it is no regular file, is empty, or has more than `MAX_BYTES`.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):  # Opening a named pipe would wait for ever.
        raise OSError(0, "not a regular file")
    if not status.st_size:
        raise OSError(0, "empty")
    if status.st_size > MAX_BYTES:
        raise OSError(0, f"more than {MAX_BYTES // 2**20} MiB")


def fit(picture, size, channels):
    """Returns the centre of an 8-bit picture as (size, size, channels) uint8."""
    picture = picture.convert(MODES[channels])
    if picture.size != (size, size):
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(picture).reshape(size, size, channels)


def _upright(picture):
    """Returns the picture turned by its EXIF orientation, or as it is where that is broken."""
    try:
        turn = TURNS.get(picture.getexif().get(ORIENTATION))
    except Exception:  # Of the parser, about what viewers ignore: the pixels may be whole.
        turn = None
    return picture if turn is None else picture.transpose(turn)


def _opaque(picture):
    """Returns the picture with 8 bits per channel and without transparency."""
    if picture.mode.startswith("I"):  # 16 bits, which `convert` would clip and not scale.
        levels = np.clip(np.asarray(picture), 0, 65535)
        key = picture.info.get("transparency")
        grey = np.rint(levels.astype(np.float32) / 257).astype(np.uint8)
        return Image.fromarray(
            grey if key is None else np.where(levels == key, np.uint8(255), grey)
        )
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

    def attempt(named, most):
        name, file = named
        try:
            return read(file, size, channels, most)
        except Exception as error:  # Decoders raise what they like.
            return name, _reason(error)

    files = iter(files)
    at_once = max(1, min(CHUNK, CHUNK_BYTES // (size * size * channels)))
    with (
        warnings.catch_warnings(),
        # Most of the work is in Pillow's C code, which lets other threads run.
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        # Pillow's remarks on odd files do not say which file is meant.
        warnings.simplefilter("ignore")
        while chunk := list(itertools.islice(files, at_once)):
            results = list(threads.map(attempt, chunk, itertools.repeat(LARGE_PIXELS)))
            for number, result in enumerate(results):
                if result is None:
                    results[number] = attempt(chunk[number], MAX_PIXELS)
            pixels = [result for result in results if isinstance(result, np.ndarray)]
            skipped.extend(result for result in results if isinstance(result, tuple))
            yield len(chunk), np.array(pixels, np.uint8).reshape(-1, size, size, channels)


def _reason(error):
    """One line for a person, without the file's name, which stands before it."""
    if isinstance(error, Image.UnidentifiedImageError):
        return f"no picture of the formats {', '.join(FORMATS)}"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAX_PIXELS:,} pixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
