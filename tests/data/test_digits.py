import numpy as np
import pytest
from sklearn.datasets import load_digits

from gan_keras import data
from gan_keras.config import config
from gan_keras.data import digits
from gan_keras.errors import UsageError


def test_they_are_those_of_scikit_learn():
    images, labels = load_digits(return_X_y=True)
    expected = np.rint(images.reshape(1797, 8, 8, 1) * 255 / 16)
    assert digits.images().dtype == digits.labels().dtype == np.uint8
    np.testing.assert_array_equal(digits.images(), expected)
    np.testing.assert_array_equal(digits.labels(), labels)


def test_at_their_own_size_they_are_unchanged():
    images = data.load(config.from_preset("digits", image_size=8))
    assert (images.name, images.count, images.shape) == ("digits", 1797, (8, 8, 1))
    assert images.in_memory
    assert images.skipped == []
    loaded = images.rows.read(np.arange(1797))
    np.testing.assert_array_equal(loaded, digits.images())


def test_they_can_be_enlarged_and_coloured():
    images = data.load(config.from_preset("digits", image_size=16, channels=3))
    assert images.shape == (16, 16, 3)
    large = images.rows.read(np.arange(100)).astype(float)
    np.testing.assert_array_equal(large[..., :1], large[..., 1:2])
    # A resized picture keeps its mean but for rounding and what the filter does at the edge.
    np.testing.assert_allclose(large.mean(), digits.images()[:100].mean(), rtol=0.05)


@pytest.mark.parametrize("memory_limit", [2**30, 0])
def test_the_last_ones_can_be_held_out(memory_limit):
    wanted = config.from_preset("digits", image_size=8, held_out=297)
    splits = {"train": slice(0, 1500), "validation": slice(1500, 1797)}
    for split, part in splits.items():
        images = data.load(wanted, split, memory_limit=memory_limit)
        everything = images.rows.read(np.arange(images.count))
        np.testing.assert_array_equal(everything, digits.images()[part])
        np.testing.assert_array_equal(images.labels(), digits.labels()[part])
        np.testing.assert_array_equal(data.labels(wanted, split), digits.labels()[part])
        (batch,) = images.batches(images.count, seed=0).take(1)
        totals = np.rint((batch.numpy() + 1) * 127.5).sum(axis=(1, 2, 3))
        expected = everything.sum(axis=(1, 2, 3))
        np.testing.assert_array_equal(np.sort(totals), np.sort(expected))


def test_splits_that_cannot_be_are_refused():
    wanted = config.from_preset("digits", held_out=1797)
    for split in ("train", "validation"):
        with pytest.raises(UsageError, match=r"^--held_out=1797: digits has 1,797 images; hold"):
            data.load(wanted, split)
    with pytest.raises(UsageError, match=r"^--held_out=0: keeps no images for validation; train"):
        data.load(config.from_preset("digits"), "validation")
    assert not data.has_test(wanted)
    with pytest.raises(UsageError, match=r"^--dataset=digits: has no split `test`; keep images"):
        data.load(wanted, "test")
    with pytest.raises(ValueError, match="not tset"):
        data.load(wanted, "tset")
