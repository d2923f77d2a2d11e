"""What is kept of the features of real images, and what is computed anew."""

import os
from dataclasses import dataclass

import numpy as np
import pytest

from gan_keras.evaluation import feature_cache


@dataclass
class Sums:
    """Stands for an extractor: two sums of each image's pixels."""

    name: str = "sums"
    sha256: str | None = "abc"
    note: str = ""
    dimensions: int = 2
    calls: int = 0

    def describe(self):
        return {"name": self.name, "sha256": self.sha256, "note": self.note}

    def __call__(self, images):
        self.calls += 1
        flat = images.reshape(len(images), -1).astype(np.float32)
        return np.stack([flat.sum(axis=1), (flat**2).sum(axis=1)], axis=1)


IMAGES = np.random.default_rng(0).integers(0, 256, (10, 4, 4, 1), np.uint8)
CHANGED = IMAGES.copy()
CHANGED[9, 3, 3, 0] ^= 1


def test_the_second_time_they_are_read(tmp_path):
    extractor = Sums()
    expected = Sums()(IMAGES)
    for _ in range(2):
        found = feature_cache.features(extractor, IMAGES, tmp_path / "new")
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32
    assert extractor.calls == 1
    (file,) = (tmp_path / "new").iterdir()
    assert file.name.startswith("sums-")


@pytest.mark.parametrize(
    ("extractor", "images"),
    [
        (Sums(), CHANGED),
        (Sums(), IMAGES[:9]),
        (Sums(), IMAGES[::-1]),
        (Sums(), IMAGES.reshape(10, 2, 8, 1)),
        (Sums(sha256="abd"), IMAGES),
        (Sums(name="other"), IMAGES),
        (Sums(note="other"), IMAGES),
    ],
)
def test_other_images_and_other_extractors_have_their_own(tmp_path, extractor, images):
    feature_cache.features(Sums(), IMAGES, tmp_path)
    extractor.calls = 0
    found = feature_cache.features(extractor, images, tmp_path)
    assert extractor.calls == 1
    np.testing.assert_array_equal(found, extractor(images))
    assert len(list(tmp_path.iterdir())) == 2


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: path.write_bytes(b""),
        lambda path: np.savez(path, features=np.zeros((9, 2), np.float32)),
        lambda path: np.savez(path, features=np.zeros((10, 2))),
        lambda path: np.savez(path, others=np.zeros((10, 2), np.float32)),
    ],
)
def test_a_damaged_file_is_replaced(tmp_path, damage):
    extractor = Sums()
    expected = feature_cache.features(extractor, IMAGES, tmp_path)
    (file,) = tmp_path.iterdir()
    damage(file)
    for _ in range(2):
        np.testing.assert_array_equal(feature_cache.features(extractor, IMAGES, tmp_path), expected)
    assert extractor.calls == 2
    assert list(tmp_path.iterdir()) == [file]


def test_no_flipped_bit_is_believed_or_raises(tmp_path):
    """Some reach the readers of zip and zlib: 20 of 2,544 made an error that was not foreseen."""
    expected = feature_cache.features(Sums(), IMAGES, tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        file.write_bytes(content)
        kept = feature_cache._read(file, expected.shape)
        # A few bits hold nothing, as the time of the archive.
        assert kept is None or np.array_equal(kept, expected)


def test_a_folder_that_cannot_be_written_costs_no_evaluation(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    found = feature_cache.features(Sums(), IMAGES, tmp_path / "file")
    np.testing.assert_array_equal(found, Sums()(IMAGES))
    (line,) = caplog.messages
    assert "features are not kept: " in line


def test_a_disk_that_fills_leaves_nothing(tmp_path, caplog, monkeypatch):
    def full(path, content):
        with open(path, "wb") as file:
            file.write(content[:7])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(feature_cache.Path, "write_bytes", full)
    np.testing.assert_array_equal(feature_cache.features(Sums(), IMAGES, tmp_path), Sums()(IMAGES))
    assert list(tmp_path.iterdir()) == []
    assert "No space left on device" in caplog.text


def test_nothing_is_kept_of_what_needs_no_weights(tmp_path):
    feature_cache.features(Sums(sha256=None), IMAGES, tmp_path)
    assert list(tmp_path.iterdir()) == []
