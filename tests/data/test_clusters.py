"""Clusters that take the place of classes: which images are together, and that it stays so."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.spatial.distance import cdist

from gan_keras import config, data
from gan_keras.data import clusters
from gan_keras.errors import UsageError


def digits(**fields):
    return data.load(config.Config(image_size=8, **fields))


def test_clusters_are_those_of_lloyds_algorithm():
    """At its end each image is nearest to the mean of its own cluster."""
    images = digits(clusters=12)
    labels = images.labels()
    assert labels.dtype == np.int64
    assert_array_equal(np.unique(labels), np.arange(12))
    pixels = images.rows.read(np.arange(images.count)).reshape(images.count, -1).astype(float)
    # Of the 64 pixels 50 components are compared: their mean is not quite the pixels'.
    means = np.stack([pixels[labels == number].mean(axis=0) for number in range(12)])
    nearest = cdist(pixels, means).argmin(axis=1)
    assert (nearest == labels).mean() > 0.99


def test_clusters_say_something_of_the_digits():
    """Of images of one digit most are together: by chance no class has above 12 % of a cluster."""
    labels, classes = digits(clusters=20).labels(), digits().labels()
    purity = sum(np.bincount(classes[labels == number]).max() for number in range(20))
    assert purity / len(labels) > 0.7


def test_clusters_are_the_same_in_every_run():
    assert_array_equal(digits(clusters=12).labels(), digits(clusters=12).labels())


def test_clusters_are_of_what_is_trained_on():
    images = digits(clusters=12, held_out=797)
    assert len(images.labels()) == images.count == 1000


def test_names():
    assert data.class_names(config.Config(clusters=12))[3] == "cluster-03"
    assert digits(clusters=12).class_names == clusters.names(12)


def test_larger_images_are_compared_by_sums_of_squares():
    images = data.load(config.Config(image_size=28))
    (small, *_) = clusters._chunks(images)
    assert small.shape == (images.count, 14 * 14)
    first = images.rows.read(np.array([5]))[0, :, :, 0].astype(int)
    assert small[5, 0] == first[:2, :2].sum()
    assert small[5, -1] == first[-2:, -2:].sum()


def test_more_clusters_than_images_are_refused():
    with pytest.raises(UsageError, match=r"^--clusters=1798: digits has 1,797 images; "):
        digits(clusters=1798)


def test_clusters_and_classes_are_not_both():
    with pytest.raises(UsageError, match=r"^--clusters=10: takes the place of classes"):
        config.Config(clusters=10, conditional=True)
    with pytest.raises(UsageError, match=r"^--clusters=10: ring has no classes"):
        config.Config(dataset="ring", network="points", clusters=10)
