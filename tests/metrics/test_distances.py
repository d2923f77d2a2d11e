"""Distances by matrix products against distances by differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist

from gan_keras.metrics import distances


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    return generator.random((37, 50)), generator.random((23, 50))


def whole(points, centres):
    squares = np.full((len(points), len(centres)), np.nan)
    for part, block in distances.blocks(points, centres):
        squares[part] = block
    return squares


@pytest.mark.parametrize("block_bytes", [1, 23 * 8 * 5, 2**25])
def test_blocks_are_the_whole_in_any_size(data, monkeypatch, block_bytes):
    monkeypatch.setattr(distances, "BLOCK_BYTES", block_bytes)
    assert_allclose(whole(*data), cdist(*data, "sqeuclidean"), rtol=1e-13)


def test_far_from_the_origin_nothing_is_lost(data):
    """Without the middle taken out, the squares (1e16) would cancel to errors of some units.

    Rounded to 20 binary places, the rows are exact at 2^24 too.
    """
    points, centres = (np.round(array * 2**20) / 2**20 + 2.0**24 for array in data)
    assert_allclose(whole(points, centres), cdist(points, centres, "sqeuclidean"), rtol=1e-13)


def test_one_far_row_costs_the_others_nothing(data):
    """In the mean of all it would put the origin a million away."""
    points, centres = data
    centres[0] = 2.3e7
    expected = cdist(points, centres, "sqeuclidean")
    assert_allclose(whole(points, centres)[:, 1:], expected[:, 1:], rtol=1e-13)


def test_never_negative(data):
    points, _ = data
    squares = whole(points, points.copy())
    assert squares.min() >= 0
    assert_allclose(np.diag(squares), 0, atol=1e-13)


@pytest.mark.parametrize(("count", "bytes_each"), [(10, 3), (10, 100), (1, 1)])
def test_slices_cover_every_row_once(monkeypatch, count, bytes_each):
    monkeypatch.setattr(distances, "BLOCK_BYTES", 9)
    rows = np.arange(count)
    parts = [rows[part] for part in distances.slices(count, bytes_each)]
    assert np.concatenate(parts).tolist() == rows.tolist()
    assert max(map(len, parts)) <= max(1, 9 // bytes_each)
