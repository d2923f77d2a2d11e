import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from gan_keras import config as configs
from gan_keras.cli import classify, flags
from gan_keras.evaluation import classifier, classifier_files, classifier_training


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What `classifier_training.make`, which test_classifier.py tests, is asked for."""
    calls = []

    def make(config, path, epochs):
        calls.append((config, path, epochs))
        about = {"accuracy": 0.98765, "tested_on": "359 images, a fifth, kept out"}
        return classifier.Classifier(None, about, "abc")

    monkeypatch.setattr(classifier_training, "make", make)
    monkeypatch.setattr(flags, "import_tensorflow", lambda onednn: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return calls


def test_every_flag_arrives(asked, tmp_path):
    images = ["--dataset=cifar10", "--data_dir=/x", "--image_size=32", "--channels=3"]
    assert classify.run([*images, "--epochs=7", "--seed=5", f"--output={tmp_path}/a.npz"]) == 0
    ((config, path, epochs),) = asked
    assert (config.dataset, config.data_dir) == ("cifar10", "/x")
    assert (config.image_size, config.channels, config.seed) == (32, 3, 5)
    assert (path, epochs) == (tmp_path / "a.npz", 7)
    assert config.held_out == 0


@pytest.mark.parametrize(("dataset", "size"), [("digits", 16), ("mnist", 28), ("emnist", 28)])
def test_sizes_default_to_those_that_presets_train(asked, dataset, size):
    assert classify.run([f"--dataset={dataset}"]) == 0
    ((config, path, epochs),) = asked
    assert (config.image_size, config.channels, epochs) == (size, 1, None)
    assert path == classifier_files.default_path(dataset, size, 1)


def test_sizes_of_a_folder_are_those_of_a_run_on_it(asked, tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(10):
            pixels = np.random.default_rng(number).integers(256, size=(40, 40, 3), dtype="uint8")
            Image.fromarray(pixels).save(tmp_path / label / f"{number}.png")
    assert classify.run([f"--dataset=folder:{tmp_path}"]) == 0
    assert classify.run([f"--dataset=folder:{tmp_path}", "--image_size=16"]) == 0
    assert [(config.image_size, config.channels) for config, *_ in asked] == [(32, 3), (16, 3)]


def test_what_is_printed(asked, capsys, tmp_path, monkeypatch):
    """`next:` names a run that is there, or is missing itself."""
    monkeypatch.chdir(tmp_path)
    assert classify.run(["--dataset=digits"]) == 0
    usual = classifier_files.default_path("digits", 16, 1)
    lines = [
        "accuracy: 98.77% of 359 images, a fifth, kept out",
        f"wrote {usual}, SHA-256 abc",
    ]
    assert capsys.readouterr().out.splitlines() == lines
    configs.save(configs.from_preset("digits"), tmp_path / "runs" / "digits")
    assert classify.run(["--dataset=digits"]) == 0
    evaluate = "next:  gan-keras-evaluate --workdir=runs/digits"
    assert capsys.readouterr().out.splitlines() == [*lines, evaluate]
    assert classify.run(["--dataset=digits", f"--output={tmp_path}/my file.npz"]) == 0
    command = capsys.readouterr().out.splitlines()[-1].removeprefix("next:  ")
    assert shlex.split(command) == [
        "gan-keras-evaluate",
        "--workdir=runs/digits",
        f"--classifier={tmp_path}/my file.npz",
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "--dataset: required; see gan-keras-classifier --help"),
        (["--dataset=digits", "--channels=2"], "--channels=2: choose from 1, 3"),
        (["--dataset=digits", "--image_size=0"], "--image_size=0: must be at least 1"),
        (["--dataset=digits", "--seed=-1"], "--seed=-1: must be at least 0"),
        (["--dataset=digits", "--epochs=0"], "--epochs=0"),
        (["--dataset=digits", f"--epochs={2**31}"], "--epochs=2147483648"),
    ],
)
def test_mistakes_are_one_line_and_2(asked, capsys, arguments, problem):
    assert classify.run(arguments) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("gan-keras-classifier: ")
    assert problem in errors
    assert errors.count("\n") == 1
    assert asked == []


def test_help_needs_no_tensorflow():
    code = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"  # Not to be had.
        "from gan_keras.cli.classify import run; run(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("dataset", "data_dir", "image_size", "channels", "epochs", "seed", "output"):
        assert f"--{name}: " in done.stdout


def test_the_command_itself(program, tmp_path):
    path = tmp_path / "digits.npz"
    flags = ("--dataset=digits", "--image_size=8", "--epochs=1", f"--output={path}")
    # Elsewhere, as the demo may have left a run in this folder, which would be named.
    result = program("classify", *flags, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    starting, data, accuracy, wrote = result.stdout.splitlines()
    assert starting == "starting TensorFlow"
    assert data.startswith("data: digits, 1,438 images 8x8x1 of 10 classes; tested on 359 images")
    assert accuracy.startswith("accuracy: ")
    assert wrote == f"wrote {path}, SHA-256 {classifier.load(path).sha256}"
    assert "images/s" in result.stderr
