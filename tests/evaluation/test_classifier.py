"""The classifier on the embedded digits: what it computes, and its file."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_keras import data
from gan_keras.config import config, random_streams
from gan_keras.errors import UsageError, UserError
from gan_keras.evaluation import classifier, classifier_files, classifier_training
from tests.conftest import reports

DIGITS = config.from_preset("digits", image_size=8)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A classifier of one epoch on the digits, its file, and what was said."""
    path = tmp_path_factory.mktemp("classifiers") / "new" / "digits.npz"
    with reports() as said:
        return classifier_training.make(DIGITS, path, epochs=1), path, said


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(made, tmp_path):
    result, path, _ = made
    for seed, same in ((0, True), (1, False)):
        wanted = config.from_preset("digits", image_size=8, seed=seed)
        again = classifier_training.make(wanted, tmp_path / "again.npz", epochs=1)
        assert ((tmp_path / "again.npz").read_bytes() == path.read_bytes()) == same
        assert (again.sha256 == result.sha256) == same


def test_the_file_tells_what_it_is(made):
    result, path, said = made
    assert [item.name for item in path.parent.iterdir()] == [path.name]
    assert result.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    about = dict(result.about)
    assert 0 <= about.pop("accuracy") <= 1
    assert about.pop("gan_keras")
    assert about == {
        "version": classifier.VERSION,
        "dataset": "digits",
        "image_size": 8,
        "channels": 1,
        "classes": 10,
        "tested_on": "359 images, a fifth, kept out",
        "epochs": 1,
        "seed": 0,
    }
    assert said == [
        "data: digits, 1,438 images 8x8x1 of 10 classes; tested on 359 images, a fifth, kept out"
    ]


def test_few_pictures_of_a_folder_are_seen_as_often_as_is_promised(tmp_path, monkeypatch):
    """A step takes a whole batch, however few they are; and the file names their classes."""
    for name in ("dark/0", "dark/1", "light/0", "light/1"):
        path = tmp_path / "pictures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 200 * ("light" in name)).save(path)
    monkeypatch.setattr(classifier_training, "LEAST_IMAGES", 5 * classifier_training.BATCH)
    wanted = {"dataset": f"folder:{tmp_path / 'pictures'}", "image_size": 4, "channels": 1}
    about = classifier_training.make(
        config.from_preset("pictures", **wanted), tmp_path / "a.npz"
    ).about
    assert about["epochs"] == 5
    assert about["class_names"] == ["dark", "light"]


def test_the_accuracy_is_of_images_that_were_kept_out(made):
    """A fifth, chosen by numpy's permutation; one epoch is far better than chance already."""
    result, _, _ = made
    stream = random_streams.CLASSIFIER_SPLIT
    numbers = np.random.default_rng([stream, 0]).permutation(1797)[:359]
    images, labels = data.digits.images()[numbers], data.digits.labels()[numbers]
    logits = result.network.predict_on_batch(images / np.float32(127.5) - 1)
    right = np.mean(logits.argmax(axis=-1) == labels)
    assert result.about["accuracy"] == pytest.approx(right)
    assert right > 0.5


def test_the_logits_are_a_dense_layer_of_the_rectified_features(made):
    result, _, _ = made
    images = data.digits.images()[:50] / np.float32(127.5) - 1
    features = result.features.predict_on_batch(images)
    assert features.shape == (50, classifier.FEATURES)
    assert features.min() < 0
    kernel, bias = result.network.get_weights()[-2:]
    by_hand = np.maximum(features, 0) @ kernel + bias
    logits = result.network.predict_on_batch(images)
    np.testing.assert_allclose(by_hand, logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("size", "channels"), [(1, 1), (8, 3), (16, 1), (29, 3)])
def test_any_size_is_halved_until_it_is_small(size, channels):
    network = classifier.build(size, channels, classes=3, seed=0)
    assert network.output_shape == (None, 3)
    flat = next(layer for layer in network.layers if "flatten" in layer.name)
    side = flat.input.shape[1]
    assert 1 <= side <= classifier.SMALLEST
    halvings = sum("pooling" in layer.name for layer in network.layers)
    assert side == int(np.ceil(size / 2**halvings))


def test_small_data_sets_are_seen_more_often(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(
        classifier_training, "_fit", lambda network, x, y, epochs, seed: seen.append(epochs)
    )
    for epochs in (None, 5):
        classifier_training.make(DIGITS, tmp_path / "a.npz", epochs)
    assert seen == [40, 5]  # ceil(60,000 / (12 * 128)): 1,438 images make 12 batches.


def test_the_test_split_is_used_where_there_is_one(monkeypatch, tmp_path):
    """Here 50 of the digits stand for it."""
    train, fitted = data.load(DIGITS), []
    test = train.only(np.arange(50))
    monkeypatch.setattr(data, "has_test", lambda config: True)
    monkeypatch.setattr(
        data, "load", lambda config, split="train": test if split == "test" else train
    )
    monkeypatch.setattr(
        classifier_training, "_fit", lambda network, images, *rest: fitted.append(images)
    )
    result = classifier_training.make(DIGITS, tmp_path / "a.npz")
    assert fitted == [train]
    assert result.about["tested_on"] == "50 images, its split `test`"
    assert result.about["accuracy"] * 50 == pytest.approx(round(result.about["accuracy"] * 50))


def cut(content):
    return content[: len(content) // 2]


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flipped, lambda content: b"", lambda content: b"PK"])
def test_a_damaged_file_is_named(made, tmp_path, damage):
    path = tmp_path / "damaged.npz"
    path.write_bytes(damage(made[1].read_bytes()))
    with pytest.raises(
        UserError, match=r"damaged.npz: not a whole classifier .* make it again"
    ) as caught:
        classifier.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("about", [{"version": 99}, {}, [], {"version": classifier.VERSION}])
def test_a_file_of_another_version_is_refused(tmp_path, about):
    np.savez(tmp_path / "other.npz", about=np.array(json.dumps(about)))
    with pytest.raises(UserError, match="not a whole classifier"):
        classifier.load(tmp_path / "other.npz")


def test_a_classifier_needs_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(data.Images, "labels", lambda images: np.zeros(images.count, np.int64))
    with pytest.raises(UsageError, match=r"^--dataset=digits: has only one class"):
        classifier_training.make(DIGITS, tmp_path / "a.npz")
    with pytest.raises(UsageError, match=r"^--dataset=ring: is a density, which needs no"):
        classifier_training.make(config.Config(dataset="ring"), tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


def test_every_image_is_seen_once_an_epoch_and_counted(capsys):
    """130 images are two batches, the second filled from the next epoch."""
    images = data.load(DIGITS).only(np.arange(130))
    network = classifier.build(8, 1, 10, seed=0)
    classifier_training._fit(network, images, images.labels(), epochs=2, seed=0)
    assert network.optimizer.iterations.numpy() == 4
    assert "512/512" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told_before_the_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file: cannot be made: .*; choose another"):
        classifier_training.make(DIGITS, tmp_path / "file" / "a.npz")
    with pytest.raises(UserError, match="is a folder; choose a file in it"):
        classifier_training.make(DIGITS, tmp_path)
    with pytest.raises(UserError, match="aaa: cannot be made: File name too long; choose another"):
        classifier_training.make(DIGITS, tmp_path / ("a" * 300))


def test_a_write_that_fails_is_one_line_with_the_remedy(tmp_path):
    with pytest.raises(UserError, match=r"a\.npz: cannot be written: .*; make it possible to"):
        classifier.save(tmp_path / "gone" / "a.npz", classifier.build(8, 1, 2, seed=0), {})


def test_the_usual_place(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    folder = "/home/me/.cache/gan_keras/classifiers"
    assert str(classifier_files.default_path("mnist", 28, 1)) == f"{folder}/mnist-28x28x1.npz"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert str(classifier_files.default_path("mnist", 32, 3)) == f"{folder}/mnist-32x32x3.npz"
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    usual = classifier_files.default_path("mnist", 28, 1)
    assert str(usual) == "/cache/gan_keras/classifiers/mnist-28x28x1.npz"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(UserError, match="XDG_CACHE_HOME: not set, and the user has no home"):
        classifier_files.cache_folder()
    assert classifier_files.extractor_for(DIGITS) == "pixels"


def test_no_two_data_sets_share_a_place(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    names = ["emnist/letters", "emnist-letters", "emnist_letters", "folder:a/b", "folder:a-b"]
    assert len({classifier_files.default_path(name, 28, 1) for name in names}) == len(names)
    for name in names:
        assert classifier_files.default_path(name, 28, 1).parent.name == "classifiers"
    here = classifier_files.default_path("folder:pictures", 28, 1)
    assert classifier_files.default_path(f"folder:{os.getcwd()}/pictures", 28, 1) == here
    assert classifier_files.default_path("folder:~/pictures", 28, 1) == here
