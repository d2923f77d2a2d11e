"""Pictures outside the network: float to bytes, grids, PNG files."""

import io
import math

import numpy as np
from PIL import Image, PngImagePlugin

from gan_keras import files

GAP = 2  # pixels between the cells of a grid: enough to tell two dark digits apart
GAP_COLOR = 255
MOST_PIXELS = 2**28  # of a file that is read; 768 MiB in colour
CELL_HEIGHT = 48  # pixels; a 28-pixel digit at its own size is too small to judge on a screen

MODES = {1: "L", 3: "RGB"}


def to_uint8(images):
    """round(127.5 (x + 1)), halves to even, as the exporter's graph does it.

    Args:
        images: Any shape, float, meant to lie in [-1, 1]; what lies outside is clipped. NaN
            becomes 0, so that the pictures of a run that diverged can still be looked at.

    Returns:
        The same shape, uint8.
    """
    # float32 whatever comes in: in float64 a few values would round the other way.
    images = np.asarray(images).astype(np.float32)
    scaled = np.rint(np.float32(127.5) * (images + np.float32(1.0)))
    return np.nan_to_num(np.clip(scaled, 0, 255), nan=0.0).astype(np.uint8)


def enlargement(height):
    """How many times a grid enlarges pictures of so many pixels in height."""
    return math.ceil(CELL_HEIGHT / height)


def grid(images, columns=None, scale=None):
    """Lays pictures out in rows, the first at the top left.

    Args:
        images: (n, height, width, channels) uint8, n >= 1, 1 or 3 channels.
        columns: Cells in a row, >= 1; by default as many as make the grid nearly square.
        scale: Integer enlargement, >= 1, by nearest neighbour; by default the smallest that
            makes a cell at least 48 pixels high.

    Returns:
        (H, W, channels) uint8. Cells of the last row without a picture have the gap's colour.

    Raises:
        ValueError: another shape or dtype, no pictures, columns or scale below 1.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8 or 0 in images.shape:
        raise ValueError(
            "images must be uint8 (n, height, width, channels), none of them 0,"
            f" not {images.dtype} {images.shape}"
        )
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    scale = enlargement(height) if scale is None else scale
    if columns < 1 or scale < 1:
        raise ValueError(f"columns and scale must be at least 1, not {columns} and {scale}")
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    height, width = height * scale, width * scale
    sheet = np.full(
        (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), GAP_COLOR, np.uint8
    )
    for index, image in enumerate(images):
        top = index // columns * (height + GAP)
        left = index % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = image.repeat(scale, 0).repeat(scale, 1)
    return sheet


def encode_png(image):
    """The bytes of a PNG file that holds `image`.

    Args:
        image: (height, width, channels) uint8, 1 (grey) or 3 (RGB) channels.

    Raises:
        ValueError: another shape or dtype.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.dtype != np.uint8 or image.shape[2] not in MODES:
        raise ValueError(
            f"image must be uint8 (height, width, 1 or 3 channels), not {image.dtype} {image.shape}"
        )
    buffer = io.BytesIO()
    picture = image[:, :, 0] if image.shape[2] == 1 else image
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, format="PNG")
    return buffer.getvalue()


def decode_png(data, most_pixels=MOST_PIXELS):
    """Reads the bytes of a PNG file.

    Args:
        data: The bytes. A few KB can hold a picture that no memory does.
        most_pixels: A picture of more is refused before it is decoded.

    Returns:
        (height, width, channels) uint8: 1 channel if the file is grey, otherwise 3.

    Raises:
        ValueError: `data` is not a whole PNG file, or a picture of more pixels.
    """
    try:
        # Not Image.open, which warns on stderr before the size can be looked at.
        with PngImagePlugin.PngImageFile(io.BytesIO(data)) as picture:
            width, height = picture.size
            if width * height > most_pixels:
                raise ValueError(
                    f"a picture of {width}x{height} pixels, where {most_pixels:,} are the most"
                )
            mode = "L" if picture.mode in ("1", "L", "LA") else "RGB"
            pixels = np.array(picture.convert(mode))
    except (OSError, SyntaxError) as error:  # Pillow says SyntaxError of a broken chunk.
        raise ValueError(f"{len(data)} bytes that are no whole PNG file") from error
    return pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels


def save_png(path, image):
    """Writes a PNG file whole or not at all: a reader never sees half of one.

    Args:
        path: The file; its folder must exist.
        image: As in `encode_png`.

    Raises:
        ValueError: as `encode_png`.
        OSError: the folder is missing or cannot be written to.
    """
    files.write(path, encode_png(image))
