"""A folder at a glance, and what `gan-keras-train` makes of it."""

import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

from gan_keras import config as configs
from gan_keras import data, training
from gan_keras.cli import flags, train
from gan_keras.errors import UsageError


def paint(path, size, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def grey(tmp_path):
    for i in range(5):
        paint(tmp_path / "grey" / f"{i}.png", (30 + i, 50), (9 * i,) * 3)
    return tmp_path / "grey"


@pytest.fixture
def classes(tmp_path):
    for name, count in (("red", 12), ("blue", 10)):
        for i in range(count):
            paint(tmp_path / "classes" / name / f"{i}.jpg", (80, 64), name)
    return tmp_path / "classes"


def config_of(*argv):
    values = flags.parse(argv, train.PROGRAM, train.SUMMARY, train._define)
    config, workdir = train._config(values)
    return train._choose(config, workdir, values), workdir


def test_what_a_folder_holds(grey, classes):
    found = data.survey(f"folder:{grey}")
    assert (found.count, found.side, found.looked_at, found.coloured) == (5, 32, 5, 0)
    assert found.classes == {}
    found = data.survey(f"folder:{classes}")
    assert (found.side, found.coloured, found.looked_at) == (64, 22, 22)
    assert found.classes == {"blue": 10, "red": 12}


def test_pictures_that_cannot_be_read_are_left_out(grey):
    (grey / "5.png").write_bytes(b"no picture")
    os.mkfifo(grey / "6.png")  # Opening it would wait for ever.
    assert data.survey(f"folder:{grey}").looked_at == 5
    for i in range(5):
        (grey / f"{i}.png").write_bytes(b"")
    with pytest.raises(UsageError, match="none of 7 pictures looked at can be read"):
        data.survey(f"folder:{grey}")


def test_grey_of_a_jpeg_is_grey(tmp_path):
    noise = np.random.default_rng(0).integers(256, size=(40, 40), dtype=np.uint8)
    Image.fromarray(noise).convert("RGB").save(tmp_path / "a.jpg", quality=30)
    assert data.survey(f"folder:{tmp_path}").coloured == 0


def test_training_chooses_by_the_folder_and_says_why(grey, classes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config, workdir = config_of(f"--dataset=folder:{classes}")
    assert (config.preset, config.image_size, config.channels) == ("pictures", 64, 3)
    assert config.conditional
    assert workdir == "runs/classes"
    printed = capsys.readouterr().out
    assert "chose --image_size=64: the largest of 16, 28, 32, 64" in printed
    assert "chose --conditional: 2 sub-folders, each with 10 pictures or more" in printed

    config_of(f"--dataset=folder:{classes}", "--held_out=12")
    assert "chose --augment=color,translation: 10 pictures are few" in capsys.readouterr().out

    config, workdir = config_of("--dataset=folder:grey")
    assert workdir == "runs/grey"
    assert (config.image_size, config.channels, config.conditional) == (32, 1, False)
    assert "chose --noconditional: not all pictures are in sub" in capsys.readouterr().out


def test_names_of_classes_cannot_play_tricks_on_the_terminal(tmp_path, capsys):
    for name, count in (("a", 12), ("b\x1b[2J\n", 3)):
        for i in range(count):
            paint(tmp_path / name / f"{i}.png", (16, 16), "red")
    config, _ = config_of(f"--dataset=folder:{tmp_path}")
    reason = r"chose --noconditional: of class b\x1b[2J\n there are only 3 pictures"
    assert reason in capsys.readouterr().out.splitlines()
    config = dataclasses.replace(config, conditional=True, image_size=16, width=4)
    assert r"labels: 2 classes, a, b\x1b[2J\n" in training.describe(config, tmp_path).splitlines()


def test_flags_win_and_a_preset_keeps_its_pictures(classes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    argv = [f"--dataset=folder:{classes}", "--image_size=32", "--noconditional"]
    config, _ = config_of(*argv)
    assert (config.image_size, config.channels, config.conditional) == (32, 3, False)
    printed = capsys.readouterr().out
    assert "chose --channels=3: 22 of 22 pictures looked at have colours" in printed
    assert "image_size" not in printed
    assert "conditional" not in printed
    assert (config.augment, config.augment_target) == ("color,translation", 0.6)
    config, _ = config_of(argv[0], "--augment=")
    assert (config.augment, config.augment_target) == ("", 0)
    config, _ = config_of(argv[0], "--clusters=5")
    assert (config.clusters, config.conditional) == (5, False)
    config, workdir = config_of(argv[0], "--preset=pictures")
    assert (config.image_size, config.conditional, workdir) == (64, True, "runs/pictures")


def test_the_penalty_follows_from_the_size_that_a_flag_gives(classes, capsys):
    argv = [f"--dataset=folder:{classes}", "--image_size=32"]
    for more, weight in (
        ([], 1.0),
        (["--preset=pictures"], 1.0),
        (["--channels=1"], 0.33),
        (["--r1_weight=7"], 7.0),
    ):
        assert config_of(*argv, *more)[0].r1_weight == weight


def test_a_run_keeps_what_it_began_with(classes, tmp_path, capsys):
    argv = [f"--dataset=folder:{classes}", f"--workdir={tmp_path / 'run'}"]
    config, workdir = config_of(*argv)
    configs.save(config, workdir)
    (classes / "one.png").write_bytes((classes / "red" / "1.jpg").read_bytes())
    capsys.readouterr()
    for more in ([], ["--preset=pictures"]):
        assert config_of(*argv, *more) == (config, workdir)
    assert capsys.readouterr().out == ""
