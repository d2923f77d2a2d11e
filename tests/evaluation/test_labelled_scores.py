"""Whether labels are obeyed: what a classifier sees, beside what was asked for."""

import numpy as np
import pytest

from gan_keras import config as configs
from gan_keras import networks
from gan_keras.drawing import to_uint8
from gan_keras.evaluation import classifier, extractors, judge, score_cards, score_tables
from gan_keras.game import PRIORS, draw_labels

COUNT = 200


class Brightness:
    """Stands for the digits' classifier: the brighter a picture, the higher the digit it sees."""

    def predict_on_batch(self, pixels):
        levels = ((pixels.mean(axis=(1, 2, 3)) + 1) * 127.5 * 16).astype(int) % 10
        return np.eye(10)[levels]


def seen(images):
    means = images.reshape(len(images), -1).astype(np.float64).mean(axis=1)
    return (means * 16).astype(int) % 10


@pytest.fixture
def brightness(monkeypatch):
    made = classifier.Classifier(Brightness(), {"classes": 10}, "abc")
    monkeypatch.setattr(extractors, "classifier_of", lambda *_: made)


@pytest.fixture
def config():
    return configs.from_preset("digits_conditional", width=4)


def test_it_is_the_share_of_the_images_of_the_class_asked_for(config, brightness):
    judged = judge.Judge(config, ["label_accuracy"], COUNT, seed=3)
    generator = networks.generator(config, 10)
    networks.set_frequencies(generator, np.repeat(range(10), [11] + 9 * [1]))
    (card,) = judged.generator(generator, 1, "run")
    stream = [3, configs.random_streams.EVALUATION]
    labels = draw_labels(COUNT, networks.frequencies_of(generator), stream)
    latents = PRIORS[config.prior]((COUNT, config.latent_dim), seed=stream)
    images = to_uint8(generator([latents, labels], training=False).numpy())
    assert card.value == (seen(images) == labels.numpy()).mean()
    assert card.protocol["extractor"] == {"name": "classifier", "sha256": "abc"}
    assert score_tables.table([card])[0].endswith("label accuracy (classifier) ↑ |")


def test_labels_in_the_wrong_order_are_found(config, brightness):
    judged = judge.Judge(config, ["label_accuracy"], COUNT)
    images = judged.scores.training.sample(COUNT, seed=1)
    right = seen(images)
    half = np.where(np.arange(COUNT) % 2, right, (right + 1) % 10)
    for labels, share in ((right, 1.0), ((right + 1) % 10, 0.0), (half, 0.5)):
        (found, _, _) = judged.scores.compute("label_accuracy", images, labels)["label_accuracy"]
        assert found.estimate == share
        assert found.low <= share <= found.high


def test_references_come_with_their_classes(config, brightness):
    judged = judge.Judge(config, ["label_accuracy"], COUNT)
    images, labels = judged.scores.references()[score_cards.NOISE]()
    assert len(images) == len(labels) == COUNT
    images, labels = judged.scores._training_images()
    every = judged.scores.training.rows.read(np.arange(judged.scores.training.count))
    for image, label in zip(images[:20], labels[:20], strict=True):
        (number,) = np.flatnonzero((every == image).all(axis=(1, 2, 3)))
        assert judged.scores.training.labels()[number] == label


def test_without_labels_or_a_classifier_there_is_no_such_score(config):
    plain = configs.from_preset("digits")
    assert "label_accuracy" not in judge.Judge(plain, ["parzen"], COUNT).known
    pixels = judge.Judge(config, ["parzen"], COUNT, extractor="pixels")
    assert "label_accuracy" not in pixels.known
