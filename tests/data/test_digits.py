import numpy as np
from sklearn.datasets import load_digits

from gan_keras import config, data
from gan_keras.data import digits


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
