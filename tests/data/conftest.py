"""Small sources of images for the tests of the data."""

import os

import numpy as np
import pytest
from PIL import Image

from gan_keras import config


@pytest.fixture
def folder_config():
    """Makes the Config of a folder of pictures."""

    def make(path, image_size=4, channels=3):
        return config.from_preset(
            "pictures", dataset=f"folder:{path}", image_size=image_size, channels=channels
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


@pytest.fixture(scope="session")
def mnist_config(root):
    """Makes a Config of MNIST, or skips the test where it is not prepared."""
    shared = root.parent / "shared" / "tensorflow_datasets"
    data_dir = os.environ.get("TFDS_DATA_DIR") or str(shared)
    if not os.path.isdir(os.path.join(data_dir, "mnist")):
        pytest.skip(f"no prepared MNIST in {data_dir}: name its folder in TFDS_DATA_DIR")

    def make(**fields):
        return config.from_preset("mnist", **{"data_dir": data_dir, **fields})

    return make
