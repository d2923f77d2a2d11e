"""Nearest training images of samples: found by brute force, drawn, and told in a line."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from gan_keras import config as configs
from gan_keras import data, evaluation
from gan_keras.cli import evaluate
from gan_keras.drawing import grid
from gan_keras.errors import UsageError
from gan_keras.evaluation import extractors, nearest


@pytest.fixture(scope="module")
def pixels():
    return extractors.load("pixels", dataset="digits", image_size=16, channels=1)


@pytest.fixture(scope="module")
def training():
    return data.load(configs.from_preset("digits"))


def test_search_is_that_of_all_pairs(pixels, training, monkeypatch):
    monkeypatch.setattr(nearest, "CHUNK", 400)
    images = np.random.default_rng(0).integers(256, size=(20, 16, 16, 1), dtype=np.uint8)
    images[3] = training.rows.read(np.array([1234]))[0]
    apart, numbers = nearest.search(pixels, images, training, 4)
    every = np.asarray(training.rows.read(np.arange(training.count))).reshape(-1, 256) / 255.0
    exact = np.linalg.norm(images.reshape(-1, 1, 256) / 255.0 - every, axis=2)
    assert_array_equal(numbers, np.argsort(exact, axis=1, kind="stable")[:, :4])
    assert_allclose(apart, np.sort(exact, axis=1)[:, :4], rtol=1e-6, atol=1e-6)
    assert numbers[3, 0] == 1234


def test_a_generator_that_repeats_its_data_is_found(small_run, training, monkeypatch):
    """Its samples are training images: the distance is 0, and the pairs are the same pictures."""
    repeated = np.asarray(training.rows.read(np.arange(100, 130)))
    monkeypatch.setattr(
        nearest.judge, "generate", lambda *_: repeated.astype(np.float32) / 127.5 - 1.0
    )
    found = evaluation.neighbours(small_run, extractor="pixels", samples=30)
    assert found.card["median_distance"] == {"generated": pytest.approx(0, abs=1e-5), "real": None}
    assert [row["sample"] + 100 for row in found.card["shown"]] == [
        row["training_images"][0] for row in found.card["shown"]
    ]
    picture = np.asarray(Image.open(found.path))
    rows = [training.rows.read(np.array(row["training_images"])) for row in found.card["shown"]]
    expected = grid(
        np.concatenate([np.concatenate([row[:1], row]) for row in map(np.asarray, rows)]), 7
    )
    assert_array_equal(picture, expected[..., 0])
    assert json.loads(found.path.with_suffix(".json").read_text()) == found.card


def test_the_command(small_run, capsys):
    assert evaluate.run([f"--workdir={small_run}", "--neighbours", "--extractor=pixels"]) == 0
    output = capsys.readouterr().out
    assert "nearest of 1,797 training images (pixels): " in output
    assert "no other real images to compare with" in output
    assert f"wrote {small_run}/neighbours/step-000030-pixels.png" in output


def test_what_has_no_neighbours_is_one_line(small_run, tmp_path, capsys):
    configs.save(configs.from_preset("ring"), tmp_path)
    with pytest.raises(UsageError, match="--neighbours: a run on ring makes points"):
        evaluation.neighbours(tmp_path)
    assert evaluate.run([f"--workdir={small_run}", "--neighbours", "--metrics=kid"]) == 2
    assert "--metrics=kid: not beside --neighbours" in capsys.readouterr().err
