"""What `import gan_keras` offers: names, types, two lines to pictures, and Keras' own files."""

import doctest
import inspect
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gan_keras
from gan_keras import evaluation, exporting
from gan_keras.errors import UsageError, UserError

# The names whose types a type checker can rely on.
TYPED = [
    gan_keras.Client,
    gan_keras.Config,
    gan_keras.export,
    gan_keras.load,
    gan_keras.train,
    gan_keras.evaluate,
    gan_keras.networks.build,
    gan_keras.networks.generator,
    gan_keras.losses.discriminator_loss,
    gan_keras.losses.minimax,
    gan_keras.losses.non_saturating,
    evaluation.Judge,
    exporting.LoadedGenerator,
]


def python(script):
    """Runs a script in a new process; returns what it printed."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def from_run(small_run):
    return gan_keras.load(small_run)


@pytest.fixture(scope="module")
def from_export(exported):
    return gan_keras.load(exported)


def test_importing_the_package_loads_nothing_heavy():
    script = """
import sys
import gan_keras
assert set(gan_keras.__all__) <= set(dir(gan_keras))
gan_keras.Config(steps=5)
gan_keras.Client("127.0.0.1:8501", transport="rest")
heavy = {"tensorflow", "keras", "grpc", "scipy", "sklearn", "matplotlib"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    assert python(script) == "[]\n"


def test_every_public_name_is_there_in_a_new_process():
    script = """
import gan_keras
print(gan_keras.networks.build.__name__, gan_keras.losses.minimax.__name__)
print(all(getattr(gan_keras, name) is not None for name in gan_keras.__all__))
try:
    gan_keras.nothing
except AttributeError as error:
    print(error)
"""
    assert python(script).splitlines() == [
        "build minimax",
        "True",
        "module 'gan_keras' has no attribute 'nothing'",
    ]


@pytest.mark.parametrize("public", TYPED, ids=lambda public: public.__name__)
def test_what_is_public_has_types(public):
    members = [public]
    if inspect.isclass(public):
        functions = inspect.getmembers(public, inspect.isfunction)
        members = [f for name, f in functions if name == "__init__" or not name.startswith("_")]
    for member in members:
        signature = inspect.signature(member)
        named = [each for each in signature.parameters.values() if each.name != "self"]
        assert all(each.annotation is not each.empty for each in named), member
        if not (inspect.isclass(public) and hasattr(public, "__dataclass_fields__")):
            assert signature.return_annotation is not signature.empty, member


def test_load_s_example(small_run, tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "digits").symlink_to(small_run)
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder(recurse=False).find(exporting.load, "load", globs={})
    said = io.StringIO()
    failures, attempts = doctest.DocTestRunner().run(example, out=said.write)
    assert attempts == 3
    assert failures == 0, said.getvalue()


def test_the_package_s_example(small_run, tmp_path, monkeypatch):
    """As it stands but for the training, which the small run has done."""

    def train(config, workdir):
        assert (config.image_size, config.steps) == (16, 300)
        shutil.copytree(small_run, workdir)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gan_keras.training.train", train)
    lines = inspect.cleandoc(gan_keras.__doc__).splitlines()
    names = {}
    exec("\n".join(line[4:] for line in lines if line.startswith("    ")), names)
    assert names["pictures"].shape == (64, 16, 16, 1)


def test_a_run_and_its_export_give_the_same_pictures(from_run, from_export):
    pictures = from_run.sample(70, seed=-3)
    assert (pictures.shape, pictures.dtype) == ((70, 16, 16, 1), np.uint8)
    assert_array_equal(from_export.sample(70, seed=-3), pictures)
    # Splitting a request changes nothing.
    assert_array_equal(from_run.sample(5, seed=60), pictures[63:68])
    assert (from_run.step, from_export.step) == (30, 30)
    assert from_run.classes == from_export.classes == ()


def test_generate_is_the_model_s_call(small_run, from_run, from_export):
    from gan_keras import checkpoints, networks
    from gan_keras import config as configs

    generator = networks.generator(configs.load(small_run))
    checkpoints.restore_generator(generator, small_run)
    latents = np.random.default_rng(0).normal(size=(9, 8))
    expected = generator(latents.astype("float32"), training=False)
    for loaded in (from_run, from_export):
        given = loaded.generate(latents)
        assert given.dtype == np.float32
        assert_allclose(given, expected, atol=1e-6)


def test_a_folder_of_versions_is_its_newest(exported, tmp_path):
    for number, step in (("9", 9), ("10", 10), ("2", 2)):
        shutil.copytree(exported, tmp_path / number)
        card = json.loads((exported / "model_card.json").read_text()) | {"step": step}
        # As of an export before there were classes and digests.
        del card["classes"], card["files"], card["sha256"]
        (tmp_path / number / "model_card.json").write_text(json.dumps(card))
    (tmp_path / "11").mkdir()  # Not (yet) a version.
    loaded = gan_keras.load(str(tmp_path))
    assert (loaded.step, loaded.path) == (10, tmp_path / "10")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count must be at least 1, not 0"),
        ({"count": 1.5}, "count must be an integer, not 1.5"),
        ({"count": 2, "seed": 2**63 - 1}, r"seed must be from -\d+ to \d+ for 2 pictures"),
        (
            {"count": 2, "label": 3},
            r"label=3: .* was trained without labels; .* train with --conditional",
        ),
    ],
)
def test_what_cannot_be_sampled_is_named(from_run, arguments, message):
    with pytest.raises(UsageError, match=message):
        from_run.sample(**arguments)


def test_latents_that_do_not_fit_are_named(from_run, from_export):
    for loaded in (from_run, from_export):
        with pytest.raises(UsageError, match=r"latents must be \(n, 8\), .* not \(2, 3\)"):
            loaded.generate(np.zeros((2, 3)))
        with pytest.raises(UsageError, match="latents must be finite"):
            loaded.generate(np.full((2, 8), np.nan))


def test_what_cannot_be_loaded_is_one_line(exported, tmp_path):
    with pytest.raises(UserError, match=r"nowhere: neither a run's folder \(config.json\) nor"):
        gan_keras.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="aaa: neither a run's folder"):
        gan_keras.load(tmp_path / ("a" * 300))
    shutil.copytree(exported, tmp_path / "1")
    (tmp_path / "1" / "model_card.json").write_text("[]")
    with pytest.raises(UserError, match=r"model_card.json: missing or corrupt; export the run"):
        gan_keras.load(tmp_path)
    shutil.copy(exported / "model_card.json", tmp_path / "1")
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"no protobuf")
    with pytest.raises(UserError, match=r"1: cannot be loaded \(.*export the run again"):
        gan_keras.load(tmp_path)


def test_a_conditional_run_is_loaded_with_its_classes(tmp_path):
    """A checkpoint as a conditional run leaves it, by the networks that such runs train."""
    import dataclasses

    import tensorflow as tf

    from gan_keras import checkpoints, networks
    from gan_keras import config as configs

    small = {"width": 8, "latent_dim": 8, "conditional": True}
    config = dataclasses.replace(configs.from_preset("digits"), **small)
    generator = networks.generator(config, 10)
    for weight in generator.trainable_variables:  # Fresh networks show next to nothing.
        weight.assign(20 * weight)
    saved = tf.train.Checkpoint(generator=generator)
    checkpoints.Checkpoints(saved, checkpoints.directory(tmp_path), keep=1).save(4)
    configs.save(config, tmp_path)
    with pytest.raises(UserError, match=r"classes.json: missing"):
        gan_keras.load(tmp_path)
    configs.save_classes([f"digit {i}" for i in range(10)], tmp_path)

    loaded = gan_keras.load(tmp_path)
    latents = np.stack([tf.random.stateless_normal([8], [seed, -3]) for seed in range(10)])
    expected = 127.5 * (1 + generator([latents, np.full(10, 3)], training=False).numpy())
    threes = loaded.sample(10, label="digit 3")
    assert np.abs(threes - expected).max() <= 0.51
    assert (threes != loaded.sample(10, label=4)).any()
    version = gan_keras.export(tmp_path, tmp_path / "exports")
    assert_array_equal(gan_keras.load(version).sample(10, label=3), threes)


def test_a_keras_file_gives_the_same_samples_in_a_new_process(forks, tmp_path):
    generator, discriminator = gan_keras.networks.build(
        "dcgan", shape=(16, 16, 1), latent_dim=8, width=8, seed=3
    )
    gan = gan_keras.GAN(generator, discriminator, ema_decay=0.9)
    latents = np.random.default_rng(0).normal(size=(4, 8)).astype("float32")
    np.save(tmp_path / "latents.npy", latents)
    gan.save(tmp_path / "x.keras")
    script = """
import sys
import keras, numpy
from gan_keras import GAN
folder = sys.argv[1]
gan = keras.saving.load_model(f"{folder}/x.keras")
assert isinstance(gan, GAN)
numpy.save(f"{folder}/samples.npy", gan(numpy.load(f"{folder}/latents.npy")))
"""
    forks.script(script, tmp_path)
    assert_array_equal(np.load(tmp_path / "samples.npy"), gan(latents))


def test_type_hints_are_installed():
    import configparser

    root = Path(gan_keras.__file__).parent
    assert (root / "py.typed").exists()
    setup = configparser.ConfigParser()
    setup.read(root.parent / "setup.cfg")
    assert setup["options.package_data"]["gan_keras"] == "py.typed"
