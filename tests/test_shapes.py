"""The shapes that are drawn where no pictures are at hand."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from gan_keras.data import folder

SCRIPT = Path(__file__).parent.parent / "scripts" / "make_shapes.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def test_classes_of_different_pictures_the_same_in_every_run(script, tmp_path):
    for name in ("one", "other"):
        script["main"](tmp_path / name, 20)
    found = {
        name: [path.read_bytes() for path in sorted((tmp_path / name).rglob("*.png"))]
        for name in ("one", "other")
    }
    assert found["one"] == found["other"]
    assert len(set(found["one"])) == 20
    source = folder.source(f"folder:{tmp_path / 'one'}", 32, 3)
    assert source.class_names == ["circle", "cross", "square", "star", "triangle"]
    (_, pixels), *_ = source.chunks()
    assert np.bincount(source.labels()).tolist() == [4] * 5
    assert (np.ptp(pixels, axis=(1, 2)).sum(axis=1) >= script["LEAST_CONTRAST"]).all()


@pytest.mark.parametrize("shape", ["circle", "cross", "square", "star", "triangle"])
def test_a_shape_lies_within_its_picture(script, shape):
    """Its border shows the background alone."""
    for seed, size in enumerate(10 * [32, 64]):
        picture = np.asarray(script["draw"](shape, size, np.random.default_rng(seed)), np.int16)
        assert picture.shape == (size, size, 3)
        corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert (corners == corners[0]).all()
        covered = (np.abs(picture - corners[0]).sum(axis=2) > 0).mean()
        assert 0.03 < covered < 0.65
