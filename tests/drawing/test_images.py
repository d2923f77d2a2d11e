import math
import os
import struct
import zlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gan_keras.drawing import images


def pictures(count, height=8, width=8, channels=1):
    shape = (count, height, width, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_to_uint8_rounds_and_clips():
    floats = [-2.0, -1.0, -0.99, -0.001, 0.0, 1.0, 1.5]  # 127.5 (x + 1) is 1.275 and 127.37
    assert images.to_uint8(floats).tolist() == [0, 0, 1, 127, 128, 255, 255]


def test_to_uint8_is_the_graphs_arithmetic():
    tensorflow = pytest.importorskip("tensorflow")
    floats = np.linspace(-1.1, 1.1, 100_003, dtype=np.float32)
    graph = tensorflow.saturate_cast(
        tensorflow.round((tensorflow.constant(floats) + 1.0) * 127.5), tensorflow.uint8
    )
    assert_array_equal(images.to_uint8(floats), graph.numpy())


def test_to_uint8_inverts_the_scaling_of_every_byte():
    every = np.arange(256, dtype=np.uint8)
    assert_array_equal(images.to_uint8(every / np.float32(127.5) - 1), every)


@pytest.mark.filterwarnings("error")
def test_to_uint8_makes_not_a_number_black():
    assert images.to_uint8([np.nan, np.inf, -np.inf]).tolist() == [0, 255, 0]


def test_a_grid_holds_each_picture_in_its_place():
    cells = pictures(6, channels=3)
    sheet = images.grid(cells, columns=2, scale=3)
    pitch = 3 * 8 + images.GAP
    assert sheet.shape == (3 * pitch - images.GAP, 2 * pitch - images.GAP, 3)
    for index, cell in enumerate(cells):
        top, left = index // 2 * pitch, index % 2 * pitch
        for down in range(3):  # nearest neighbour: each pixel stands nine times
            for right in range(3):
                found = sheet[top + down : top + 24 : 3, left + right : left + 24 : 3]
                assert_array_equal(found, cell)
    assert (sheet[24 : 24 + images.GAP] == images.GAP_COLOR).all()
    assert (sheet[:, 24 : 24 + images.GAP] == images.GAP_COLOR).all()


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (5, 2, 3), (10, 3, 4), (64, 8, 8)]
)
def test_a_grid_is_as_square_as_it_can_be(count, rows, columns):
    height, width, _ = images.grid(pictures(count), scale=1).shape
    assert height == rows * (8 + images.GAP) - images.GAP
    assert width == columns * (8 + images.GAP) - images.GAP


def test_the_empty_cells_have_the_gaps_color():
    sheet = images.grid(np.zeros((3, 8, 8, 1), np.uint8), scale=1)
    assert (sheet[8 + images.GAP :, 8 + images.GAP :] == images.GAP_COLOR).all()
    assert not sheet[8 + images.GAP :, :8].any()


@pytest.mark.parametrize("size", [1, 8, 28, 47, 48, 49, 128])
def test_small_pictures_are_enlarged_to_48_pixels(size):
    height = images.grid(pictures(1, size, size)).shape[0]
    assert height == size * math.ceil(48 / size)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((0, 8, 8, 1), np.uint8),
        np.zeros((2, 8, 8, 1), np.float32),
    ],
)
def test_a_grid_of_something_else_is_refused(bad):
    with pytest.raises(ValueError, match="images must be uint8"):
        images.grid(bad)


@pytest.mark.parametrize("given", [{"columns": 0}, {"scale": 0}])
def test_a_grid_needs_columns_and_a_scale(given):
    with pytest.raises(ValueError, match="at least 1"):
        images.grid(pictures(2), **given)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_keeps_every_pixel(channels):
    image = pictures(1, 7, 11, channels)[0]
    data = images.encode_png(image)
    assert data.startswith(b"\x89PNG")
    assert_array_equal(images.decode_png(data), image)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 2), (1, 8, 8, 1)])
def test_png_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="image must be uint8"):
        images.encode_png(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("kept", [0, 10, 100])
def test_broken_png_is_refused(kept):
    with pytest.raises(ValueError, match=f"{kept} bytes that are no whole PNG"):
        images.decode_png(images.encode_png(pictures(1)[0])[:kept])


def test_save_png_leaves_the_file_and_nothing_else(tmp_path):
    path = tmp_path / "grid.png"
    path.write_bytes(b"older")
    image = pictures(1)[0]
    images.save_png(path, image)
    assert_array_equal(images.decode_png(path.read_bytes()), image)
    assert [entry.name for entry in tmp_path.iterdir()] == ["grid.png"]


def test_a_save_that_fails_keeps_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "grid.png"
    path.write_bytes(b"older")

    def full(self, data):
        os.close(os.open(self, os.O_CREAT | os.O_WRONLY))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        images.save_png(path, pictures(1)[0])
    assert path.read_bytes() == b"older"
    assert [entry.name for entry in tmp_path.iterdir()] == ["grid.png"]


def test_a_file_that_claims_too_many_pixels_is_not_decoded():
    """A header of 30,000 x 30,000: 900 MB, of which there is nothing."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk
    data += struct.pack(">I", zlib.crc32(chunk)) + bytes(64)
    with pytest.raises(ValueError, match="97 bytes that are no whole PNG file"):
        images.decode_png(data)
