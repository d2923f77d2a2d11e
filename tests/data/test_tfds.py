import importlib
import logging
import re
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core.utils import tqdm_utils

from gan_keras import data
from gan_keras.config import config
from gan_keras.data import tfds as source
from gan_keras.data.pipeline import untuned
from gan_keras.errors import UsageError, UserError


def test_mnist(mnist_config, capfd):
    wanted = mnist_config()
    images = data.load(wanted)
    assert capfd.readouterr() == ("", "")
    assert (images.name, images.count, images.shape) == ("mnist", 60_000, (28, 28, 1))
    assert images.in_memory
    examples = tfds.load("mnist", split="train[:50]", data_dir=wanted.data_dir, download=False)
    expected = np.array([example["image"] for example in untuned(examples).as_numpy_iterator()])
    np.testing.assert_array_equal(images.rows.read(np.arange(50)), expected)
    # The mean of MNIST's training images, in units of 255, as everybody normalises with it.
    np.testing.assert_allclose(images.first(2000).mean() / 255, 0.1307, atol=0.005)


def test_images_of_another_size_go_through_pillow(mnist_config, monkeypatch):
    """Also by TFDS's own reader, which is for what is not stored as TFRecord files."""
    wanted = mnist_config(image_size=14, channels=3)
    pixels = next(source.source("mnist", 14, 3, wanted.data_dir).chunks())[1]
    original = next(source.source("mnist", 28, 1, wanted.data_dir).chunks())[1]
    small = Image.fromarray(original[7, :, :, 0]).resize((14, 14), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(pixels[7], np.repeat(np.array(small)[..., None], 3, axis=2))
    monkeypatch.setattr(tfds.core.DatasetInfo, "file_format", property(lambda self: None))
    other = next(source.source("mnist", 14, 3, wanted.data_dir).chunks())[1]
    np.testing.assert_array_equal(other, pixels)


def test_only_what_was_slow_to_make_is_worth_keeping(mnist_config):
    data_dir = mnist_config().data_dir
    assert source.source("mnist", 14, 1, data_dir).slow
    assert not source.source("mnist", 28, 1, data_dir).slow


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("mnits", r"unknown \(did you mean mnist"),
        ("no_such_thing", "unknown; choose digits, folder:/path, or the name of a TFDS"),
        ("a b/../c", "TFDS cannot load it: .*; choose digits, folder:/path"),
        ("imdb_reviews", "has no images of 8 or 16 bits named `image`, only text, label; choose"),
    ],
)
def test_what_cannot_be_used_is_refused_before_any_download(tmp_path, name, problem):
    wanted = config.from_preset("dcgan2015", dataset=name, data_dir=str(tmp_path))
    with pytest.raises(UsageError, match=f"^--dataset={re.escape(name)}: {problem}") as caught:
        data.load(wanted)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_one_line_says_where_it_looked(tmp_path, monkeypatch, capfd):
    # A proxy that nobody is: the connection is refused at once, whatever the machine.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(source, "RETRIES", 1)  # At once, by urllib3; its warning is silenced.
    wanted = config.from_preset("dcgan2015", dataset="cifar10", data_dir=str(tmp_path))
    with pytest.raises(UserError) as caught:
        data.load(wanted)
    message = str(caught.value)
    assert message.startswith(f"--dataset=cifar10: not prepared in {tmp_path}/cifar10/")
    assert "downloading it failed: " in message
    assert "with --data_dir, or try again with a network" in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("megabytes", [0, 3])
def test_progress_bars_appear_when_something_arrives(megabytes, monkeypatch, capfd):
    class Builder:
        data_path = "/data/other"

        def download_and_prepare(self, download_config):
            print("Downloading and preparing dataset")
            logging.getLogger("urllib3.connectionpool").warning("Retrying (Retry(total=4))")
            with tqdm_utils.async_tqdm(total=0, desc="Dl Size...", mininterval=0) as bar:
                bar.update_total(7)
                if megabytes:
                    bar.update(megabytes)
                raise ConnectionError("no route to host")

    handler = logging.StreamHandler()  # As absl sets one, to where errors go.
    monkeypatch.setattr(logging.getLogger("urllib3"), "handlers", [handler])
    monkeypatch.setattr(source._RETRIES_LOG, "filters", [])
    with pytest.raises(UserError, match="no route to host"), source._quiet():
        source._download(Builder(), "other")
    source._RETRIES_LOG.warning("Retrying (Retry(total=3))")  # As a thread that still runs does.
    out, err = capfd.readouterr()
    assert out == ""
    assert ("Dl Size" in err, "3/7" in err, "Retrying" in err) == (megabytes > 0,) * 2 + (False,)
    assert megabytes or err == ""


def test_tfds_is_imported_only_for_its_data_sets(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # Importing it would fail.
    monkeypatch.delitem(sys.modules, "gan_keras.data.tfds")
    importlib.reload(data)
    assert data.load(config.from_preset("digits")).count == 1797


def test_the_splits_of_mnist(mnist_config):
    """10,000 of the 60,000 are held out, as Goodfellow et al. 2014 did it; 10,000 are tested."""
    wanted = mnist_config(held_out=10_000)
    assert data.has_test(wanted)
    parts = {"train": "train[49950:50000]", "validation": "train[59950:]", "test": "test[9950:]"}
    for split, last in parts.items():
        images = data.load(wanted, split)
        assert images.count == (50_000 if split == "train" else 10_000)
        examples = tfds.load("mnist", split=last, data_dir=wanted.data_dir, download=False)
        expected = np.array([example["image"] for example in untuned(examples).as_numpy_iterator()])
        found = images.rows.read(np.arange(images.count - 50, images.count))
        np.testing.assert_array_equal(found, expected)


def test_labels_are_in_the_order_of_the_images(mnist_config, monkeypatch):
    wanted = mnist_config()
    examples = tfds.load("mnist", split="test", data_dir=wanted.data_dir, download=False)
    expected = [example["label"] for example in untuned(examples).as_numpy_iterator()]
    found = data.labels(wanted, "test")
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)
    monkeypatch.setattr(tfds.core.DatasetInfo, "file_format", property(lambda self: None))
    by_tfds = source.source("mnist", 28, 1, wanted.data_dir, test=True).labels()
    np.testing.assert_array_equal(by_tfds, expected)
    assert data.class_names(wanted) == list("0123456789")


def test_labels_pass_over_what_cannot_be_read(mnist_config):
    wanted = mnist_config()
    whole = data.labels(wanted, "test")
    made = source.source("mnist", 28, 1, wanted.data_dir, test=True)
    made.skipped.extend([("image 0", "broken"), ("image 7", "broken")])
    np.testing.assert_array_equal(made.labels(), whole[[*range(1, 7), *range(8, 10_000)]])


class Builder:
    """Stands for TFDS's builder of a prepared data set of other splits or features."""

    def __init__(self, splits, **features):
        self.info = types.SimpleNamespace(splits=splits, features=features)

    def is_prepared(self):
        return True


@pytest.mark.parametrize(
    ("splits", "has_test"),
    [(["train", "test"], True), (["train", "validation"], False), (["test"], False)],
)
def test_what_is_trained_on_is_no_test_split(monkeypatch, splits, has_test):
    builder = Builder(splits, image=tfds.features.Image(shape=(4, 4, 1)))
    monkeypatch.setattr(source, "_builder", lambda name, data_dir: builder)
    wanted = config.from_preset("dcgan2015", dataset="other")
    assert data.has_test(wanted) == has_test
    if not has_test:
        match = f"^--dataset=other: has no split `test` but {', '.join(splits)}; choose another"
        with pytest.raises(UsageError, match=match):
            data.load(wanted, "test")


def test_images_without_classes_and_without_labels(monkeypatch):
    without = Builder(["train"], image=tfds.features.Image(shape=(4, 4, 1)))
    assert source._classes(without, "train", [], "other") is None
    secret = Builder(["test"], label=tfds.features.ClassLabel(num_classes=2))
    labels = tf.data.Dataset.from_tensors(np.array([0, -1]))
    monkeypatch.setattr(source, "_read", lambda builder, split, feature: labels)
    with pytest.raises(UsageError, match=r"^--dataset=other: the images of its split `test` have"):
        source._classes(secret, "test", [], "other")()


def test_a_flipped_bit_in_the_records_is_one_line(mnist_config, tmp_path):
    """Each record has its checksum; the pixels of none are believed without it."""
    shutil.copytree(Path(mnist_config().data_dir, "mnist"), tmp_path / "mnist")
    (records,) = tmp_path.glob("mnist/*/mnist-train.tfrecord*")
    with records.open("r+b") as file:
        file.seek(5000)
        (byte,) = file.read(1)
        file.seek(5000)
        file.write(bytes([byte ^ 1]))
    said = f"^--dataset=mnist: corrupt in {tmp_path}/mnist/.*; delete that folder to prepare it"
    for fields in ({}, {"image_size": 14}):
        with pytest.raises(UserError, match=said) as caught:
            data.load(mnist_config(data_dir=str(tmp_path), **fields))
        assert "\n" not in str(caught.value)
