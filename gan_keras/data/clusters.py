"""Labels for images that have none: clusters of images that look alike.

A game with labels is easier to learn than one without, whatever they mean: each class is a simpler
distribution, and none of them can be forgotten (Liu et al. 2020, who cluster by D's features,
https://arxiv.org/abs/2006.10728). Here the clusters are k-means of the pixels.
"""

import functools
import logging

import numpy as np
import threadpoolctl

from gan_keras.errors import UsageError

SIDE = 16  # Pixels that are compared, at most: larger images are summed up in squares.
COMPONENTS = 50  # Principal components that are kept: nine tenths of MNIST's variance.
ROUNDS = 30  # Of k-means: after these hardly an image of MNIST changes its cluster.
CHUNK = 4096  # Images read at a time.

logger = logging.getLogger(__name__)


def names(count):
    """Returns the names of `count` clusters."""
    return [f"cluster-{number:0{len(str(count - 1))}}" for number in range(count)]


def labels_of(images, count):
    """Returns a function that finds the cluster of each image, once.

    Args:
        images: An Images; all of it is read, twice.
        count: Number of clusters.

    Returns:
        Function that returns int64 (images.count,) in [0, count), and follows from the pixels: no
        first guess has luck in it.

    Raises:
        UsageError: there are fewer images than clusters.
    """
    if count > images.count:
        raise UsageError(
            f"--clusters={count}: {images.name} has {images.count:,} images; choose fewer"
        )

    @functools.cache
    def labels():
        logger.info("grouping %s images into %s clusters", f"{images.count:,}", f"{count:,}")
        points = _components(images)
        return _k_means(points, _halves(points, count), count)

    return labels


def _k_means(points, groups, count):
    from sklearn.cluster import KMeans  # A second to import, which few need.

    centres = np.stack([points[groups == number].mean(axis=0) for number in range(count)])
    # One thread: several add up in the order in which they come, and sums differ in a last bit.
    with threadpoolctl.threadpool_limits(1):
        found = KMeans(count, init=centres, n_init=1, max_iter=ROUNDS).fit(points)
    return found.labels_.astype(np.int64)


def _halves(points, count):
    """Returns groups to begin with: the points halved along their main axis, and again."""
    groups = np.empty(len(points), np.int64)

    def split(rows, first, count):
        if count == 1:
            groups[rows] = first
            return
        part = points[rows] - points[rows].mean(axis=0)
        along = part @ np.linalg.eigh(part.T @ part)[1][:, -1]
        order = rows[np.argsort(along, kind="stable")]
        half = count // 2
        middle = len(rows) * half // count
        split(order[:middle], first, half)
        split(order[middle:], first + half, count - half)

    split(np.arange(len(points)), 0, count)
    return groups


def _components(images):
    """Returns the images by their principal components, float64 (count, COMPONENTS at most)."""
    total, squares = 0.0, 0.0
    for small in _chunks(images):  # Sums of whole numbers, which no order of adding changes.
        total = total + small.sum(axis=0)
        squares = squares + small.T @ small
    mean = total / images.count
    axes = np.linalg.eigh(squares - np.outer(mean, total))[1][:, -COMPONENTS:]
    return np.concatenate([(small - mean) @ axes for small in _chunks(images)])


def _chunks(images):
    """Yields images as float64 rows, of SIDE x SIDE sums of pixels or fewer."""
    height, width, channels = images.shape
    square = -(-max(height, width) // SIDE)
    rows, columns = height // square, width // square
    for first in range(0, images.count, CHUNK):
        chosen = np.arange(first, min(first + CHUNK, images.count))
        pixels = np.asarray(images.rows.read(chosen))[:, : rows * square, : columns * square]
        parts = pixels.reshape(-1, rows, square, columns, square, channels)
        yield parts.sum(axis=(2, 4), dtype=np.int64).reshape(len(parts), -1).astype(np.float64)
