"""The export: parity with the model, seeds, batches, warm-up, whole or not at all."""

import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import gan_keras
from gan_keras.checkpoints import save_restore as checkpoints
from gan_keras.cli import export
from gan_keras.config import config as configs
from gan_keras.drawing import images
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract, served
from gan_keras.exporting import saved_model as exporting
from gan_keras.game.priors import PRIORS
from gan_keras.training import run as training


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(str(exported)).signatures


@pytest.fixture(scope="module")
def gan(small_run):
    gan = training.build(configs.load(small_run))
    checkpoints.restore_latest(checkpoints.manager(gan, small_run, keep=3))
    return gan


def sample(signatures, seeds):
    return signatures["sample"](seed=tf.constant(seeds, tf.int64))["images"].numpy()


def test_signatures_are_the_contract(signatures):
    expected = {
        "serving_default": (("latents", tf.float32, [None, 8]), ("images", tf.float32, 4)),
        "latents": (("seed", tf.int64, [None]), ("latents", tf.float32, 2)),
        "sample": (("seed", tf.int64, [None]), ("images", tf.uint8, 4)),
        "png": (("seed", tf.int64, [None]), ("png_bytes", tf.string, 1)),
    }
    assert set(signatures) == set(expected)
    for name, ((key, dtype, shape), (output, output_dtype, rank)) in expected.items():
        (given,) = signatures[name].structured_input_signature[1].values()
        assert (given.name, given.dtype, given.shape.as_list()) == (key, dtype, shape)
        ((made, spec),) = signatures[name].structured_outputs.items()
        assert (made, spec.dtype, spec.shape.rank) == (output, output_dtype, rank)
        assert spec.shape[0] is None


def test_serving_default_is_the_model(signatures, gan):
    latents = np.random.default_rng(0).normal(size=(9, 8)).astype("float32")
    served = signatures["serving_default"](latents=tf.constant(latents))["images"]
    assert_allclose(served, gan(latents), atol=1e-6)
    assert np.abs(served).max() <= 1


def test_sample_is_the_model_of_the_seed_s_latents(signatures, gan):
    seeds = [0, 7, 2**63 - 1, -(2**63)]
    latents = np.stack([PRIORS["normal"]([8], seed=tf.constant([s, -3], tf.int64)) for s in seeds])
    assert_array_equal(sample(signatures, seeds), images.to_uint8(gan(latents).numpy()))


def test_a_seed_is_a_picture_in_any_batch(signatures):
    alone = np.concatenate([sample(signatures, [seed]) for seed in range(20)])
    assert_array_equal(sample(signatures, list(range(20))), alone)
    assert_array_equal(sample(signatures, list(range(19, -1, -1)))[::-1], alone)
    assert len({picture.tobytes() for picture in alone}) == 20


def test_png_holds_the_pixels_of_sample(signatures):
    files = signatures["png"](seed=tf.range(5, dtype=tf.int64))["png_bytes"].numpy()
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(f))) for f in files])[..., None]
    assert_array_equal(pixels, sample(signatures, range(5)))


def test_uniform_prior_and_colour(tmp_path):
    from gan_keras import networks

    generator, _ = networks.build("mlp", shape=(4, 4, 3), latent_dim=6, width=4, seed=0)
    module = served.Served(generator, "uniform")
    latents = PRIORS["uniform"]([6], seed=tf.constant([5, -3], tf.int64))[None]
    expected = images.to_uint8(generator(latents).numpy())
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.signatures())
    loaded = tf.saved_model.load(str(tmp_path / "1")).signatures
    assert_array_equal(sample(loaded, [5]), expected)
    (file,) = loaded["png"](seed=tf.constant([5], tf.int64))["png_bytes"].numpy()
    assert_array_equal(np.asarray(Image.open(io.BytesIO(file))), expected[0])


@pytest.fixture
def session(exported):
    """The export in a session, which is how TensorFlow Serving loads and runs it."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(exported))
        yield session, meta.signature_def


@pytest.fixture(scope="module")
def drawn(gan):
    """Latents and what the model makes of them."""
    latents = np.random.default_rng(1).normal(size=(3, 8)).astype("float32")
    return latents, gan(latents).numpy()


def test_a_server_s_session_gives_what_the_model_gives(drawn, session):
    """Here the variables are found by their names, where Python's loader finds the objects."""
    (latents, expected), (session, signatures) = drawn, session
    signature = signatures["serving_default"]
    served = session.run(
        signature.outputs["images"].name, {signature.inputs["latents"].name: latents}
    )
    assert_allclose(served, expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3), (2, 7, 4)])
def test_latents_of_a_wrong_shape_are_named_by_the_graph_itself(session, shape):
    """A server hands any shape to the graph: this call checks its feeds as little as that."""
    from tensorflow.python.client import pywrap_tf_session

    session, signatures = session
    signature = signatures["serving_default"]
    feed, fetch = (
        session.graph.get_tensor_by_name(tensor.name)._as_tf_output()
        for tensor in (signature.inputs["latents"], signature.outputs["images"])
    )
    feeds = {feed: np.zeros(shape, "float32")}
    with pytest.raises(tf.errors.InvalidArgumentError, match="latents must have shape") as error:
        pywrap_tf_session.TF_SessionRun_wrapper(session._session, None, feeds, [fetch], [], None)
    assert "(batch, 8), not" in str(error.value)


def test_warm_up_covers_every_signature_at_every_batch_size(exported, signatures):
    from tensorflow_serving.apis import prediction_log_pb2

    seen = []
    records = tf.data.TFRecordDataset(str(exported / contract.WARMUP_FILE))
    for record in records.as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        ((name, proto),) = request.inputs.items()
        value = tf.constant(tf.make_ndarray(proto))
        signatures[request.model_spec.signature_name](**{name: value})
        seen.append((request.model_spec.signature_name, len(value)))
    assert sorted(seen) == sorted(
        (name, size)
        for name in ("serving_default", "latents", "sample", "png")
        for size in contract.ALLOWED_BATCH_SIZES
    )


def test_model_card(exported, small_run):
    card = json.loads((exported / "model_card.json").read_text())
    assert card["step"] == 30
    assert card["dtype"] == "float32"
    assert card["dataset"] == "digits"
    assert card["classes"] == []
    config = json.loads((small_run / "config.json").read_text())
    assert card["config"] == {name: config[name] for name in config if name != "sha256"}
    assert card["versions"]["gan_keras"] == gan_keras.__version__
    assert card["versions"]["tensorflow"] == tf.__version__
    assert card["run"] == small_run.name
    assert isinstance(card["scores"], list)
    grid = images.decode_png((exported / card["sample_grid"]).read_bytes())
    made = tf.saved_model.load(str(exported)).signatures["sample"]
    assert_array_equal(grid, images.grid(sample({"sample": made}, range(64))))
    assert card["git_commit"] is None or re.fullmatch("[0-9a-f]{40}", card["git_commit"])


def test_a_git_that_hangs_delays_an_export_and_no_more(monkeypatch):
    def hanging(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(exporting.subprocess, "run", hanging)
    assert exporting.git_commit() is None


def test_the_scores_of_a_card_are_those_of_its_step_and_temperature(tmp_path):
    cards = {
        "a": {"step": 30, "metric": "kid"},  # before there were temperatures
        "b": {"step": 30, "metric": "recall", "temperature": 1.0},
        "cooled": {"step": 30, "temperature": 0.5},
        "earlier": {"step": 20, "temperature": 1.0},
        "reference": {"step": None, "temperature": 1.0},
        "list": [],
    }
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "broken.json").write_text("{")
    for name, card in cards.items():
        (tmp_path / "scores" / f"{name}.json").write_text(json.dumps(card))
    assert exporting._scores(tmp_path, 30, 1.0) == [cards["a"], cards["b"]]
    assert exporting._scores(tmp_path, 30, 0.5) == [cards["cooled"]]
    assert exporting._scores(tmp_path / "none", 30, 1.0) == []


def test_a_bfloat16_export_makes_nearly_the_same_pictures(small_run, gan, tmp_path, capsys):
    flags = [f"--workdir={small_run}", f"--export_dir={tmp_path}", "--dtype=bfloat16"]
    assert export.run(flags) == 0
    latents = np.random.default_rng(0).normal(size=(9, 8)).astype("float32")
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    difference = np.abs(signature(latents=tf.constant(latents))["images"] - gan(latents))
    # Not the same, and within what tests/test_folding.py derives for a network of this size.
    assert 0 < difference.max() < 0.1
    assert json.loads((tmp_path / "1" / "model_card.json").read_text())["dtype"] == "bfloat16"


def test_a_cooled_export_multiplies_the_latents_it_draws(small_run, gan, tmp_path):
    flags = [f"--workdir={small_run}", f"--export_dir={tmp_path}", "--temperature=0.5"]
    assert export.run(flags) == 0
    cooled = tf.saved_model.load(str(tmp_path / "1")).signatures
    latents = np.stack([PRIORS["normal"]([8], seed=[seed, -3]) for seed in range(3)])
    pixels = np.round((gan(0.5 * latents).numpy() + 1) * 127.5)
    assert np.abs(sample(cooled, range(3)).astype(float) - pixels).max() <= 1
    given = cooled["serving_default"](latents=tf.constant(latents))["images"]
    assert_allclose(given, gan(latents), atol=1e-6)
    assert json.loads((tmp_path / "1" / "model_card.json").read_text())["temperature"] == 0.5


def test_versions_count_up_and_are_never_overwritten(small_run, tmp_path):
    for name in ("007", "notes", "12.tmp"):
        (tmp_path / name).mkdir()
    assert exporting.export(small_run, tmp_path).name == "8"
    assert exporting.export(small_run, tmp_path, version=20).name == "20"
    assert exporting.export(small_run, tmp_path).name == "21"
    with pytest.raises(UsageError, match=r"--version=7: .*007 exists already"):
        exporting.export(small_run, tmp_path, version=7)
    assert not list(tmp_path.glob(".exporting-*"))


def test_what_killed_exporters_left_is_cleared_and_what_lives_is_not(tmp_path):
    """Whatever machine or container they are in: a lock tells, and no process number."""
    with exporting._working_folder(tmp_path) as alive:
        alive.mkdir()
        (tmp_path / ".exporting-gone").mkdir()
        (tmp_path / ".exporting-gone" / "saved_model.pb").write_text("")
        (tmp_path / ".exporting-gone.lock").write_text("")
        (tmp_path / ".exporting-early.lock").write_text("")  # Killed before it had a folder.
        (tmp_path / "notes").mkdir()
        exporting._clear_abandoned(tmp_path)
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"notes", alive.name, f"{alive.name}.lock"}
        with exporting._working_folder(tmp_path) as other:
            assert other != alive
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_a_lock_that_was_cleared_before_it_was_held_is_not_used(tmp_path, monkeypatch):
    locks, flock = [], exporting.fcntl.flock

    def late(descriptor, operation):
        if not locks:
            (lock,) = tmp_path.iterdir()
            lock.unlink()
        locks.append(operation)
        flock(descriptor, operation)

    monkeypatch.setattr(exporting.fcntl, "flock", late)
    with exporting._working_folder(tmp_path) as folder:
        assert [path.name for path in tmp_path.iterdir()] == [f"{folder.name}.lock"]
    assert len(locks) == 2


@pytest.mark.parametrize("version", [0, -1, 2**63, 10**30])
def test_versions_that_no_server_reads_are_refused(small_run, tmp_path, version):
    with pytest.raises(UsageError, match=f"--version={version}: must be from 1 to 9223372036854"):
        exporting.export(small_run, tmp_path / "export", version=version)
    assert not (tmp_path / "export").exists()


def test_the_next_version_stops_before_those_that_no_server_reads():
    largest = 2**63 - 1
    assert exporting._number(None, {}) == 1
    assert exporting._number(None, {7: "007", 2**63: "x"}) == 8
    assert exporting._number(None, {largest - 1: "x"}) == largest
    with pytest.raises(UsageError, match=f"--version: {largest} is there and has no next one"):
        exporting._number(None, {largest: "x"})


@pytest.mark.parametrize("flag", ["workdir", "export_dir"])
def test_names_that_tensorflow_takes_for_patterns_are_refused(small_run, tmp_path, flag):
    shutil.copytree(small_run, tmp_path / "a[1]")
    places = {"workdir": small_run, "export_dir": tmp_path / "export", flag: tmp_path / "a[1]"}
    with pytest.raises(UsageError, match=rf"--{flag}=.*a\[1\]: TensorFlow finds no file"):
        exporting.export(**places)


def test_a_failed_export_leaves_nothing(small_run, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "_write_card", fail)
    with pytest.raises(UserError, match="cannot be written: No space left on device"):
        exporting.export(small_run, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_run_on_points_is_not_exported(tmp_path):
    configs.save(configs.from_preset("ring"), tmp_path / "run")
    with pytest.raises(UsageError, match="a run on ring makes points; only generators of images"):
        exporting.export(tmp_path / "run", tmp_path / "export")
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize("made", [False, True])
def test_an_empty_workdir_is_one_line(made, tmp_path, capsys):
    if made:
        (tmp_path / "run").mkdir()
    argv = [f"--workdir={tmp_path / 'run'}", f"--export_dir={tmp_path / 'models'}"]
    assert export.run(argv) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no config.json there; train a model into it first" in line
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ([], "--workdir: required"),
        (["--workdir=x"], "--export_dir: required"),
        (["--workdir=x", "--export_dir=y", "--version=one"], "--version=one"),
    ],
)
def test_bad_flags_are_one_line(argv, named, capsys):
    assert export.run(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
