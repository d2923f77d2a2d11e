"""Walks between latents: on the arc, in equal steps, with both ends."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gan_keras.exporting.interpolation import slerp


def test_a_quarter_of_a_circle():
    points = slerp([2.0, 0.0], [0.0, 2.0], 4)
    angles = np.array([0, 30, 60, 90]) * np.pi / 180
    assert_allclose(points, 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=1e-6)
    assert points.dtype == np.float32


@pytest.mark.parametrize("count", [2, 3, 10])
def test_equal_steps_between_the_ends(count):
    first, last = np.random.default_rng(0).normal(size=(2, 64))
    points = slerp(first, last, count).astype(np.float64)
    assert_allclose(points[[0, -1]], [first, last], rtol=1e-5, atol=1e-6)
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    angles = np.arccos(np.clip(np.sum(units[1:] * units[:-1], axis=1), -1, 1))
    whole = np.arccos(first @ last / np.linalg.norm(first) / np.linalg.norm(last))
    assert angles.sum() == pytest.approx(whole, rel=1e-4)
    norms = np.linalg.norm(points, axis=1)
    # A straight line between two such vectors would lose 30 % of their length.
    assert norms.min() > 0.97 * min(norms[0], norms[-1])


@pytest.mark.parametrize("last", [[3.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_where_there_is_no_arc_the_line_is_straight(last):
    points = slerp([1.0, 0.0], last, 3)
    assert_allclose(points, [[1, 0], [(1 + last[0]) / 2, 0], last], atol=1e-6)
