"""Features by each extractor, and what each says about itself."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gan_keras import config as configs
from gan_keras import data
from gan_keras.errors import UsageError, UserError
from gan_keras.evaluation import classifier, classifier_files, extractors

WANTED = {"dataset": "digits", "image_size": 8, "channels": 1}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The file of a classifier that was not trained."""
    path = tmp_path_factory.mktemp("classifiers") / "digits.npz"
    about = {"dataset": "digits", "image_size": 8, "channels": 1, "classes": 10, "accuracy": 0.5}
    classifier.save(path, classifier.build(8, 1, 10, seed=3), about)
    return path


def test_pixels_are_from_0_to_1_row_after_row():
    images = np.arange(256, dtype=np.uint8).reshape(2, 8, 8, 2)[..., :1]
    extract = extractors.load("pixels", **WANTED)
    assert extract.describe()["sha256"] is None
    expected = np.stack([np.arange(0, 128, 2), np.arange(128, 256, 2)]) / 255
    assert extract(images).dtype == np.float32
    np.testing.assert_allclose(extract(images), expected, rtol=1e-7)


def test_classifier_features_are_those_of_its_layer(file):
    extract = extractors.load("classifier", path=file, **WANTED)
    images = data.digits.images()[:300]  # More than a batch.
    features = extract(images)
    assert (features.shape, features.dtype) == ((300, classifier.FEATURES), np.float32)
    loaded = classifier.load(file)
    kernel, bias = loaded.network.get_layer("features").get_weights()
    flat = next(layer for layer in loaded.network.layers if "flatten" in layer.name)
    before = tf.keras.Model(loaded.network.inputs, flat.output)
    by_hand = before.predict(images / np.float32(127.5) - 1, verbose=0) @ kernel + bias
    np.testing.assert_allclose(features, by_hand, rtol=1e-4, atol=1e-4)


def test_an_image_s_features_do_not_depend_on_its_neighbours(file):
    extract = extractors.load("classifier", path=file, **WANTED)
    images = data.digits.images()[:20]
    np.testing.assert_allclose(extract(images)[7:9], extract(images[7:9]), rtol=1e-5, atol=1e-5)


def test_what_a_record_says(file):
    for name in ("classifier", "pixels"):
        extract = extractors.load(name, path=file if name == "classifier" else None, **WANTED)
        described = json.loads(json.dumps(extract.describe()))
        assert described["name"] == extract.name == name
        assert described["dimensions"] == extract.dimensions
        assert described["sha256"] == extract.sha256
        assert {"weights", "resize", "note"} <= set(described)
    extract = extractors.load("classifier", path=file, **WANTED)
    assert extract.sha256 == classifier.load(file).sha256
    assert (extract.describe()["trained_on"], extract.describe()["accuracy"]) == ("digits", 0.5)


def test_the_usual_classifier_is_found(file, monkeypatch):
    monkeypatch.setattr(classifier_files, "default_path", lambda *images: file)
    assert extractors.load("classifier", **WANTED).sha256 == classifier.load(file).sha256


def test_a_file_that_is_missing_is_one_line_with_the_command():
    with pytest.raises(UsageError) as caught:
        extractors.load("classifier", path="nowhere", **WANTED, data_dir="/my data")
    assert str(caught.value) == (
        "--classifier=nowhere: file not found; make the usual one with: "
        "gan-keras-classifier --dataset=digits --image_size=8 --channels=1 '--data_dir=/my data'"
    )


def test_pictures_without_classes_have_no_classifier(tmp_path, monkeypatch):
    """Evaluation says what works instead, and `extractor_for` knows it beforehand."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("flat/a.png", "flat/b.png", "sorted/x/a.png", "sorted/y/b.png", "one/x/a.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), len(name)).save(path)
    expected = {"flat": "pixels", "one": "pixels", "sorted": "classifier"}
    for name, extractor in expected.items():
        images = {**WANTED, "dataset": f"folder:{tmp_path / name}"}
        assert classifier_files.extractor_for(configs.Config(**images)) == extractor
        if extractor == "pixels":
            with pytest.raises(UsageError, match="choose --extractor=pixels or"):
                extractors.load("classifier", **images)
    assert classifier_files.extractor_for(configs.Config(**WANTED)) == "classifier"


def test_data_that_are_gone_after_the_training_end_no_command(tmp_path, monkeypatch):
    """It has trained and saved, and only says what may come next."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def gone(config):
        raise UserError("gone")

    monkeypatch.setattr(classifier_files.data, "class_names", gone)
    assert classifier_files.extractor_for(configs.Config(**WANTED)) == "pixels"


def test_a_classifier_of_other_images_is_refused(file):
    other = {"dataset": "digits", "image_size": 16, "channels": 3}
    with pytest.raises(UsageError, match=r"is for images 8x8x1, not 16x16x3; .*--image_size=16"):
        extractors.load("classifier", path=file, **other)


@pytest.mark.parametrize("names", [["a", "b"], None])
def test_a_classifier_of_classes_that_were_renamed_is_refused(tmp_path, monkeypatch, names):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in "ab":
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "pictures" / name / "0.png")
    images = {**WANTED, "dataset": f"folder:{tmp_path / 'pictures'}"}
    file = classifier_files.default_path(**images)
    file.parent.mkdir(parents=True)
    about = {**images, "classes": 2, "accuracy": 0.5}
    about.update({} if names is None else {"class_names": names})  # An older file has none.
    classifier.save(file, classifier.build(8, 1, 2, seed=3), about)
    assert extractors.classifier_of(**images).about["classes"] == 2
    (tmp_path / "pictures" / "a").rename(tmp_path / "pictures" / "c")
    if names is None:
        assert extractors.classifier_of(**images).about["classes"] == 2
        return
    with pytest.raises(UsageError) as caught:
        extractors.classifier_of(**images)
    assert str(caught.value) == (
        f"--classifier={file}: knows the classes a, b, and {images['dataset']} has others now; "
        f"make it anew with: gan-keras-classifier --dataset={images['dataset']} --image_size=8 "
        "--channels=1"
    )


def test_names_and_files_that_do_not_fit():
    with pytest.raises(UsageError, match=r"^--extractor=vgg: choose from classifier, inception"):
        extractors.load("vgg", **WANTED)
    with pytest.raises(UsageError, match=r"^--classifier=x: the extractor is pixels, which"):
        extractors.load("pixels", **WANTED, path="x")


def test_inception_s_input_is_resized_as_pillow_does_it():
    """Pillow's bilinear filter is antialiased too: the two differ by its rounding to bytes."""
    for size, channels in ((40, 1), (400, 3)):
        noise = np.random.default_rng(0).integers(0, 256, (2, size, size, channels), np.uint8)
        found = extractors.inception_input(tf.constant(noise)).numpy()
        assert found.shape == (2, 299, 299, 3)
        colour = Image.fromarray(np.repeat(noise[1], 3 // channels, axis=-1))
        resized = colour.resize((299, 299), Image.Resampling.BILINEAR)
        np.testing.assert_allclose((found[1] + 1) * 127.5, np.asarray(resized), atol=1.01)


def test_inception_averages_what_its_layers_give(tmp_path, monkeypatch):
    """With another network in the place of the large one."""
    inputs = tf.keras.Input((None, None, 3))
    outputs = tf.keras.layers.GlobalAveragePooling2D()(tf.keras.layers.Conv2D(5, 1)(inputs))
    network = tf.keras.Model(inputs, outputs)
    network.save_weights(tmp_path / "a.weights.h5")
    monkeypatch.setattr(extractors, "_inception_weights", lambda: tmp_path / "a.weights.h5")
    monkeypatch.setattr(
        extractors.keras.applications, "InceptionV3", lambda include_top, weights, pooling: network
    )
    extract = extractors.load("inception", **WANTED)
    images = data.digits.images()[:33]  # More than a batch.
    kernel, bias = network.get_weights()
    mean = extractors.inception_input(tf.constant(images)).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(extract(images), mean @ kernel[0, 0] + bias, rtol=1e-3, atol=1e-4)
    assert extract.dimensions == 5
    assert "TensorFlow-1" in extract.describe()["note"]


def test_without_a_network_inception_is_one_line(tmp_path, monkeypatch):
    # A port that nobody listens to: the connection is refused at once, whatever the machine.
    monkeypatch.setattr(extractors, "INCEPTION_URL", "http://127.0.0.1:9/weights.h5")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(extractors, "INCEPTION_FILE", "a-file-that-nobody-has.h5")
    with pytest.raises(UserError) as caught:
        extractors.load("inception", **WANTED)
    message = str(caught.value)
    assert message.startswith("--extractor=inception: a-file-that-nobody-has.h5 is not in ~/.keras")
    assert message.endswith("try again with a network, or choose --extractor=classifier")
    assert "\n" not in message
