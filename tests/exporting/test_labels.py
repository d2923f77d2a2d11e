"""Classes, from a generator with two inputs to a client: signatures, draws, refusals."""

import json

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import gan_keras
from gan_keras import config as configs
from gan_keras import networks
from gan_keras.client import Client
from gan_keras.drawing import images
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract, folding, saved_model, trained
from gan_keras.exporting.served import Served
from gan_keras.serving.settings import ModelSettings
from tests import browser as browsers
from tests.exporting.conditional import CLASSES, LATENT_DIM, generator
from tests.serving.harness import serving


@pytest.fixture(scope="module")
def model():
    return generator()


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """Version folder 1 of the conditional generator's export."""
    folder = tmp_path_factory.mktemp("conditional")
    run = trained.Trained(model, configs.from_preset("digits", latent_dim=LATENT_DIM), 12, CLASSES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained, "restore", lambda workdir, checkpoint: run)
        return saved_model.export("a run with labels", folder)


@pytest.fixture(scope="module")
def loaded(exported):
    return gan_keras.load(exported)


def latents(seeds):
    return np.stack([tf.random.stateless_normal([LATENT_DIM], [seed, -3]) for seed in seeds])


def pictures(model, seeds, labels):
    return images.to_uint8(model([latents(seeds), np.array(labels)], training=False).numpy())


def test_a_folded_conditional_generator_is_the_same_function(model):
    draws = np.random.default_rng(1)
    z = draws.normal(size=(30, LATENT_DIM)).astype("float32")
    labels = np.arange(30) % 3
    expected = model([z, labels], training=False).numpy()
    folded = folding.fold(model)
    assert_allclose(folded([z, labels]), expected, rtol=0, atol=1e-5)
    names = [type(layer).__name__ for layer in folded.layers]
    # The first follows a Dense; so does the second, before the gains of its class.
    assert names.count("BatchNormalization") == 0
    assert names.count("Embedding") == 2
    assert np.std(expected) > 0.2
    assert np.abs(expected[0] - model([z[:1], np.array([1])])[0]).max() > 0.1


def test_an_operation_that_reads_an_output_keeps_it_from_being_folded():
    import keras
    from keras import layers

    inputs = keras.Input((4,))
    hidden = layers.Dense(3)(inputs)
    normal = layers.BatchNormalization()
    both = keras.Model(inputs, [normal(hidden), hidden * 2.0])
    normal.moving_mean.assign([1.0, 2.0, 3.0])
    x = np.ones((2, 4), np.float32)
    for given, expected in zip(folding.fold(both)(x), both(x, training=False), strict=True):
        assert_allclose(given, expected, atol=1e-6)


def test_signatures_of_a_conditional_generator(exported):
    signatures = tf.saved_model.load(str(exported)).signatures
    inputs = {
        name: {
            key: (spec.dtype, spec.shape.as_list())
            for key, spec in signature.structured_input_signature[1].items()
        }
        for name, signature in signatures.items()
    }
    seed, label = {"seed": (tf.int64, [None])}, {"label": (tf.int64, [None])}
    assert inputs == {
        "serving_default": {"latents": (tf.float32, [None, LATENT_DIM])} | label,
        "latents": seed,
        "sample": seed,
        "png": seed,
        "sample_label": seed | label,
        "png_label": seed | label,
        "classes": label,
    }
    assert json.loads((exported / "model_card.json").read_text())["classes"] == CLASSES


def test_a_label_chooses_the_class(model, loaded):
    seeds = range(7, 11)
    expected = pictures(model, seeds, [1, 2, 0, 1])
    assert np.abs(loaded.sample(4, 7, label=[1, 2, 0, 1]).astype(int) - expected).max() <= 1
    dogs = loaded.sample(4, seed=7, label=1)
    assert np.abs(dogs.astype(int) - pictures(model, seeds, [1] * 4)).max() <= 1
    assert_array_equal(loaded.sample(4, seed=7, label="dog"), dogs)
    # A name that looks like a number is a name: class 2 is called `7`.
    assert_array_equal(loaded.sample(4, 7, label="7"), loaded.sample(4, 7, label=2))
    assert loaded.classes == tuple(CLASSES)
    assert loaded.step == 12


def test_without_a_label_the_seed_draws_the_class(loaded):
    seeds = range(1000)
    chance = [float(tf.random.stateless_uniform([], [seed, -4])) for seed in seeds]
    drawn = np.searchsorted([1 / 3, 2 / 3], chance, side="right")
    assert_array_equal(loaded.sample(1000), loaded.sample(1000, label=drawn))


def test_classes_are_drawn_as_often_as_they_are_in_the_data():
    made, _ = networks.build("plain", shape=(8, 8, 1), latent_dim=4, width=4, seed=0, classes=3)
    networks.set_frequencies(made, np.array([0, 0, 0, 2]))
    served, seeds = (
        Served(folding.fold(made), "normal", classes=CLASSES),
        tf.range(200, dtype="int64"),
    )
    chance = np.array([float(tf.random.stateless_uniform([], [seed, -4])) for seed in range(200)])
    drawn = tf.constant(np.where(chance < 0.75, 0, 2))
    asked = served.sample(seeds, drawn)["images"].numpy()
    assert_array_equal(served.sample(seeds)["images"], asked)


def test_generate_takes_the_label(model, loaded):
    z = latents(range(3))
    expected = model([z, np.array([0, 1, 2])], training=False)
    assert_allclose(loaded.generate(z, label=[0, 1, 2]), expected, atol=1e-5)
    with pytest.raises(UsageError, match=r"label: required, since .* has 3 classes"):
        loaded.generate(z)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (3, "label=3: must be from 0 to 2"),
        (-1, "label=-1: must be from 0 to 2"),
        ("cow", "label='cow': choose from cat, dog, 7"),
        (1.0, "label must be an integer, or one for each picture"),
        ([1, 2], "label must be one integer or 4 of them"),
    ],
)
def test_a_wrong_label_is_named(loaded, label, message):
    with pytest.raises(UsageError, match=message):
        loaded.sample(4, label=label)


def test_classes_and_inputs_have_to_agree(model):
    with pytest.raises(ValueError, match="2 inputs and 0 classes"):
        Served(model, "normal")


@pytest.fixture(scope="module")
def served(exported):
    with serving(ModelSettings(contract.MODEL_NAME, exported.parent)) as running:
        yield running


@pytest.fixture(params=["rest", "grpc"])
def client(request, served):
    with Client(getattr(served, request.param), request.param) as client:
        yield client


def test_a_client_s_pictures_are_those_of_load(client, loaded):
    assert_array_equal(client.sample(70, seed=3, label=1), loaded.sample(70, 3, "dog"))
    many = np.arange(70) % 3
    assert_array_equal(client.sample(70, label=many), loaded.sample(70, label=many))
    assert_array_equal(client.sample(3), loaded.sample(3))
    z = latents(range(3))
    assert_allclose(client.generate(z, label=2), loaded.generate(z, label=2), atol=1e-6)


def test_a_client_finds_the_classes_by_their_names(client, loaded):
    assert client.classes() == CLASSES
    assert_array_equal(client.sample(3, label="dog"), loaded.sample(3, label=1))
    assert_array_equal(client.sample(2, label=["7", 0]), loaded.sample(2, label=[2, 0]))
    with pytest.raises(UsageError, match=r"label 'cow': choose from cat, dog, 7, or give a number"):
        client.sample(1, label="cow")


def test_names_of_numbers_that_are_no_class_are_empty(exported):
    classes = tf.saved_model.load(str(exported)).signatures["classes"]
    numbers = tf.constant([2, 3, 0, -1, 2**63 - 1, -(2**63), 1], tf.int64)
    names = classes(label=numbers)["name_bytes"].numpy().tolist()
    assert names == [b"7", b"", b"cat", b"", b"", b"", b"dog"]


def test_a_server_names_the_range_of_labels(client):
    code = "400" if "rest" in client._transport.where else "INVALID_ARGUMENT"
    with pytest.raises(UserError, match=rf"{code}.*label must be from 0 to 2, not.*\[3\]"):
        client.sample(2, label=[2, 3])
    with pytest.raises(UserError, match=f"{code}.*input `label` of signature .* is missing"):
        client.generate(latents(range(2)))


@browsers.needs_browser
def test_the_page_picks_a_class(served, tmp_path):
    sources = "return [...document.querySelectorAll('#grid img')].map(image => image.src)"
    with browsers.chromium(tmp_path) as browser:
        browser.get(f"http://{served.rest}/#count=4&class=1")
        drawn = browsers.until(browser, f"{sources}.length === 4 && {sources[7:]}")
        options = browser.find_elements("css selector", "#class option")
        assert [each.text for each in options] == ["drawn from the seed", *CLASSES]
    body = {"signature_name": "png_label", "inputs": {"seed": [0, 1, 2, 3], "label": [1] * 4}}
    _, answer = served.ask("POST", "/v1/models/generator:predict", body)
    assert drawn == [f"data:image/png;base64,{row['b64']}" for row in answer["outputs"]]


def test_rows_of_a_rest_request_name_seed_and_label(served, loaded):
    body = {
        "signature_name": "sample_label",
        "instances": [{"seed": 4, "label": 2}, {"seed": 9, "label": 0}],
    }
    status, answer = served.ask("POST", "/v1/models/generator:predict", body)
    assert status == 200
    expected = [loaded.sample(1, 4, label=2)[0], loaded.sample(1, 9, label=0)[0]]
    assert_array_equal(np.array(answer["predictions"]), expected)
    # Columns of different lengths: the graph itself refuses them.
    body = {"signature_name": "sample_label", "inputs": {"seed": [1, 2, 3], "label": [0]}}
    status, answer = served.ask("POST", "/v1/models/generator:predict", body)
    assert status == 400
    assert "label must have as many rows as seed" in answer["error"]


def test_a_server_s_session_takes_labels(exported, loaded):
    """As TensorFlow Serving loads it."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(exported))
        signature = meta.signature_def["sample_label"]
        feeds = {
            signature.inputs["seed"].name: np.array([0, 1]),
            signature.inputs["label"].name: np.array([2, 1]),
        }
        given = session.run(signature.outputs["images"].name, feeds)
    assert_array_equal(given, loaded.sample(2, label=[2, 1]))
