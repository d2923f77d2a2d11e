"""Models that ship with the package: written from a run, loaded, exported, and refused."""

import configparser
import json
import runpy
from pathlib import PurePosixPath

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import gan_keras
from gan_keras import config as configs
from gan_keras import networks
from gan_keras.cli import export
from gan_keras.drawing import to_uint8
from gan_keras.errors import UsageError, UserError
from gan_keras.evaluation import classifier_training, judge, score_cards
from gan_keras.exporting import pretrained, trained

CLASSES = [f"digit {i}" for i in range(10)]


def run_of(seed=0):
    """A conditional generator whose pictures differ, as a run leaves it."""
    small = {"width": 8, "latent_dim": 8, "data_dir": "/home/somebody", "seed": seed}
    config = configs.from_preset("digits_conditional", **small)
    generator = networks.generator(config, len(CLASSES))
    for weight in generator.trainable_variables:
        weight.assign(3 * weight)
    return trained.Trained(generator, config, 12, CLASSES)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A model `tiny`, in place of those that ship; its generator has the rounded weights."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "pretrained_models")
    run, folder = run_of(), tmp_path / "pretrained_models" / "tiny"
    trained.write(run, folder)
    (folder / "model_card.json").write_text(json.dumps({"name": "tiny", "step": 12}))
    (folder / "scores").mkdir()
    (folder / "scores" / "a.json").write_text(json.dumps({"step": 12, "metric": "kid"}))
    return run


def test_a_shipped_model_is_loaded_by_its_name(shipped):
    loaded = gan_keras.load("pretrained:tiny")
    assert (loaded.step, loaded.classes, loaded.latent_dim) == (12, tuple(CLASSES), 8)
    latents = judge.latents("normal", 10, 8, seed=0).numpy()
    expected = shipped.generator([latents, np.arange(10)], training=False).numpy()
    made = loaded.generate(latents, label=np.arange(10))
    assert np.abs(to_uint8(made).astype(int) - to_uint8(expected)).max() <= 1
    assert expected.std() > 0.1
    assert configs.load(pretrained.FOLDER / "tiny").data_dir == ""


def test_weights_are_rounded_to_half_precision_and_no_further(shipped):
    exact = run_of().generator.get_weights()
    for before, after in zip(exact, shipped.generator.get_weights(), strict=True):
        if before.ndim > 1:
            assert_array_equal(after, before.astype(np.float16).astype(np.float32))
        else:
            assert_array_equal(after, before)


def test_a_weight_beyond_half_precision_is_refused():
    with pytest.raises(UserError, match="not finite in half precision"):
        pretrained.halve([np.full((2, 2), 1e5, np.float32)])
    (kept,) = pretrained.halve([np.full(2, 1e5, np.float32)])
    assert kept.dtype == np.float32


def test_export_has_its_cards(shipped, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert export.run(["--pretrained=tiny"]) == 0
    assert "gan-keras-serve --model_base_path exports/tiny" in capsys.readouterr().out
    version = tmp_path / "exports" / "tiny" / "1"
    card = json.loads((version / "model_card.json").read_text())
    assert card["pretrained"] == {"name": "tiny", "step": 12}
    assert card["scores"] == [{"step": 12, "metric": "kid"}]
    assert_array_equal(
        gan_keras.load(version).sample(5, label=3),
        gan_keras.load("pretrained:tiny").sample(5, 0, 3),
    )
    # The cards are not of another temperature or precision.
    assert export.run(["--pretrained=tiny", "--temperature=0.7"]) == 0
    cooled = json.loads((version.parent / "2" / "model_card.json").read_text())
    assert cooled["scores"] == []


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--pretrained=huge"], "pretrained:huge: unknown; choose from tiny"),
        (["--pretrained=../tiny"], "pretrained:../tiny: unknown; choose from tiny"),
        (["--pretrained=tiny", "--workdir=x"], "choose one of them"),
        (["--pretrained=tiny", "--checkpoint=best"], "pretrained:tiny has only one; omit it"),
    ],
)
def test_what_cannot_be_exported_is_one_line(shipped, tmp_path, monkeypatch, capsys, argv, message):
    monkeypatch.chdir(tmp_path)
    assert export.run(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 half", "other"])
def test_weights_that_cannot_be_read_are_one_line(shipped, content):
    path = pretrained.FOLDER / "tiny" / "weights.npz"
    if content is None:
        path.write_bytes(path.read_bytes()[:-100])
    elif content == "other":
        np.savez(path, **{"0": np.zeros((3, 3))})
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"weights.npz: cannot be read \(.*install gan_keras"):
        gan_keras.load("pretrained:tiny")


def test_a_corrupt_model_card_is_one_line(shipped):
    (pretrained.FOLDER / "tiny" / "model_card.json").write_text("[]")
    with pytest.raises(UserError, match=r"model_card.json: missing or corrupt; install"):
        gan_keras.load("pretrained:tiny")


def test_all_of_it_is_package_data(shipped, root):
    """Or an installation would not have it."""
    setup = configparser.ConfigParser()
    setup.read(root / "setup.cfg")
    patterns = setup["options.package_data"]["gan_keras.exporting"].split()
    paths = [path for path in pretrained.FOLDER.rglob("*") if path.is_file()]
    assert len(paths) == 5
    for path in paths:
        name = path.relative_to(pretrained.FOLDER.parent).as_posix()
        assert any(
            PurePosixPath(name).match(pattern) and name.count("/") == pattern.count("/")
            for pattern in patterns
        ), name


def test_an_unknown_name_is_named():
    with pytest.raises(UsageError, match="pretrained:nothing: unknown; choose from"):
        gan_keras.load("pretrained:nothing")


def test_the_script_makes_all_of_it(small_run, tmp_path, monkeypatch, root):
    """From a run on the embedded digits, whose classifier is made in a second."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(classifier_training, "LEAST_IMAGES", 1)
    monkeypatch.setattr(classifier_training, "LEAST_EPOCHS", 1)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "models")
    script = runpy.run_path(str(root / "scripts" / "make_pretrained.py"))
    argv = [f"--workdir={small_run}", "--name=tiny", "--checkpoint=20"]
    argv += ["--count=200", "--metrics=precision"]
    assert script["main"](argv) == 0
    folder = tmp_path / "models" / "tiny"
    card = json.loads((folder / "model_card.json").read_text())
    assert card["step"] == 20
    train, make = card["made_with"]
    assert train.startswith("gan-keras-train --preset=digits --width=8 --latent_dim=8")
    assert train.endswith(" --workdir=runs/tiny")
    assert make == (
        "python scripts/make_pretrained.py --workdir=runs/tiny --name=tiny --checkpoint=20"
    )
    # A card says what the weights that ship score.
    cards = {
        (card.metric, card.protocol["extractor"]["name"], card.subject): card
        for card in map(score_cards.load, (folder / "scores").glob("*.json"))
    }
    mine = cards["precision", "pixels", "generator"]
    run = trained.restore("pretrained:tiny")
    judged = judge.Judge(run.config, ["precision"], 200, "pixels")
    (again,) = judged.generator(run.generator, run.step, "small")
    assert (again.value, again.protocol) == (mine.value, mine.protocol)
    assert ("precision", "classifier", "uniform noise") in cards
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_the_script_refuses_data_of_unknown_terms(small_run, tmp_path, monkeypatch, root, capsys):
    script = runpy.run_path(str(root / "scripts" / "make_pretrained.py"))
    script["SOURCES"].clear()
    argv = [f"--workdir={small_run}", "--name=tiny", f"--output={tmp_path / 'x'}"]
    assert script["main"](argv) == 1
    assert "trained on digits, whose terms are not known here" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
