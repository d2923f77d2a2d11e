"""The embedded data set: 1,797 real handwritten digits of 8x8 pixels.

E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository 1998, https://doi.org/10.24432/C50P49, CC BY 4.0. `scripts/make_digits.py` made the
file, and says how.
"""

import importlib.resources

import numpy as np
from PIL import Image

from gan_keras.data import pictures
from gan_keras.data.source import Source


def images():
    """Returns the digits as (1797, 8, 8, 1) uint8, 0 for paper and 255 for ink."""
    return _read("images")


def labels():
    """Returns which digit each image shows, as (1797,) uint8."""
    return _read("labels")


def source(size, channels):
    """Returns the digits, enlarged or with three equal channels if that is wanted."""

    def chunks():
        pixels = np.stack(
            [pictures.fit(Image.fromarray(digit[..., 0]), size, channels) for digit in images()]
        )
        yield len(pixels), pixels

    return Source(
        name="digits",
        size=size,
        channels=channels,
        most=len(images()),
        chunks=chunks,
        identity="",
        slow=False,
        labels=lambda: labels().astype(np.int64),
        class_names=[str(digit) for digit in range(10)],
    )


def _read(name):
    with importlib.resources.files(__package__).joinpath("digits.npz").open("rb") as file:
        return np.load(file)[name]
