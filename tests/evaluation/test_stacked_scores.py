"""Modes of stacked digits: read channel by channel, counted, and compared with the data's."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gan_keras import config as configs
from gan_keras import data
from gan_keras.data import stacked
from gan_keras.data.source import Source
from gan_keras.errors import UsageError
from gan_keras.evaluation import (
    classifier,
    classifier_files,
    classifier_training,
    extractors,
    score_tables,
    stacked_scores,
)
from gan_keras.evaluation.judge import Judge

SIZE, EACH = 8, 40


class Reader:
    """Stands for MNIST's classifier: digit d is a picture of brightness 20 d."""

    def predict_on_batch(self, pixels):
        levels = np.rint((pixels.mean(axis=(1, 2, 3)) + 1) * 127.5 / 20).astype(int)
        return np.eye(10)[levels]


def digits(test=False):
    """A Source of such digits, in place of MNIST's."""
    labels = np.repeat(np.arange(10), EACH)
    pixels = (
        np.full((10 * EACH, SIZE, SIZE, 1), 20, np.uint8)
        * labels.astype(np.uint8)[:, None, None, None]
    )
    return Source(
        name="mnist",
        size=SIZE,
        channels=1,
        most=len(pixels),
        chunks=lambda: iter([(len(pixels), pixels)]),
        identity="plain digits",
        slow=False,
        labels=lambda: labels,
        class_names=[str(i) for i in range(10)],
    )


@pytest.fixture
def plain(monkeypatch):
    """`stacked_mnist` of plain digits, in small numbers, with their reader."""

    class Tfds:
        source = staticmethod(lambda name, size, channels, data_dir, test: digits(test))
        has_test = staticmethod(lambda name, data_dir: True)

    monkeypatch.setattr(data, "_tfds", lambda name: Tfds)
    monkeypatch.setattr(stacked, "STACKED", 5000)
    monkeypatch.setattr(stacked, "STACKED_TEST", 400)
    made = classifier.Classifier(Reader(), {}, "abc")
    monkeypatch.setattr(extractors, "classifier_of", lambda *_: made)
    monkeypatch.setattr(stacked_scores, "REPLICATES", 40)
    return configs.from_preset("stacked_mnist", image_size=SIZE)


def test_a_picture_is_three_digits_and_its_label_names_them(plain):
    images = data.load(plain)
    assert (images.count, images.shape) == (5000, (SIZE, SIZE, 3))
    pixels = images.rows.read(np.arange(5000))
    assert_array_equal(pixels, pixels[:, :1, :1] * np.ones((1, SIZE, SIZE, 1), np.uint8))
    of_digits = pixels[:, 0, 0] // 20
    assert_array_equal(images.labels(), of_digits @ [100, 10, 1])
    assert images.class_names[7] == "007"
    assert len(np.unique(images.labels())) > 980
    assert_array_equal(
        stacked_scores.digits(classifier.Classifier(Reader(), {}, "abc"), pixels), of_digits
    )
    # Other stacks than those of the split `test`, and the same ones in every run.
    assert_array_equal(data.load(plain).rows.read(np.arange(50)), pixels[:50])
    assert (data.load(plain, "test").rows.read(np.arange(50)) != pixels[:50]).any()


def test_modes_and_divergence_are_those_of_the_samples(plain):
    judge = Judge(plain, ["modes_covered", "mode_kl"], 300)
    about = {"subject": "x", "run": "r", "step": 1, "preset": None, "training_seed": 0}
    wanted = np.repeat([[1, 2, 3], [4, 5, 6]], 150, axis=0)
    samples = np.ones((300, SIZE, SIZE, 3), np.uint8) * (20 * wanted[:, None, None]).astype("u1")
    covered, kl = judge._cards(samples, None, **about)
    assert covered.value == covered.interval["low"] == covered.interval["high"] == 2
    labels = judge.scores.training.labels()
    shares = sum(np.bincount(labels // each % 10) for each in (100, 10, 1)) / (3 * len(labels))
    masses = [shares[[1, 2, 3]].prod(), shares[[4, 5, 6]].prod()]
    assert kl.value == pytest.approx(np.mean([np.log(0.5 / mass) for mass in masses]))
    assert kl.protocol["extractor"] == {"name": "classifier", "sha256": "abc"}
    assert "2 of 1000" in "\n".join(score_tables.table([covered, kl]))


def test_samples_of_the_data_have_all_modes_and_next_to_no_divergence(plain):
    judge = Judge(plain, ["modes_covered", "mode_kl"], 300)
    found = judge.scores.compute("modes", judge.scores.training.sample(4000, seed=1))
    assert found["modes_covered"][0].estimate > 970
    # (cells - 1) / (2 n) = 0.125 of chance alone.
    assert found["mode_kl"][0].estimate == pytest.approx(999 / 8000, rel=0.2)


def test_what_there_is_not_is_one_line(plain, tmp_path):
    with pytest.raises(UsageError, match="--channels=1: stacked_mnist has a digit in each of 3"):
        data.load(configs.from_preset("stacked_mnist", channels=1))
    with pytest.raises(UsageError, match="stacked_mnist: each channel is judged by the classifier"):
        classifier_training.make(plain, tmp_path / "x.npz")
    assert classifier_files.default_path("stacked_mnist", 28, 3) == classifier_files.default_path(
        "mnist", 28, 1
    )


def test_features_are_those_of_each_channel(tmp_path, monkeypatch):
    network = classifier.build(SIZE, 1, 10, seed=0)
    made = classifier.Classifier(network, {"dataset": "mnist", "accuracy": 1.0}, "abc")
    monkeypatch.setattr(extractors, "classifier_of", lambda *_: made)
    found = extractors.load("classifier", dataset="stacked_mnist", image_size=SIZE, channels=3)
    images = np.random.default_rng(0).integers(256, size=(4, SIZE, SIZE, 3), dtype=np.uint8)
    assert found.dimensions == 3 * classifier.FEATURES
    expected = [made.features(images[..., i : i + 1] / np.float32(127.5) - 1) for i in range(3)]
    np.testing.assert_allclose(found(images), np.concatenate(expected, axis=1), atol=1e-5)
