"""Small sources of images for the tests of the data."""

import numpy as np
import pytest
from PIL import Image

from gan_keras.config import config


@pytest.fixture
def folder_config():
    """Makes the Config of a folder of pictures."""

    def make(path, **fields):
        return config.from_preset(
            "pictures", **{"dataset": f"folder:{path}", "image_size": 4, "channels": 3, **fields}
        )

    return make


@pytest.fixture
def painted(tmp_path):
    """A folder of 23 colour pictures, 4x4: number i has the value 10 i in all its pixels."""
    folder = tmp_path / "painted"
    folder.mkdir()
    for number in range(23):
        pixels = np.full((4, 4, 3), 10 * number, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder
