"""The folder of a run: names that it may have, and who may write there."""

import contextlib
import os

import pytest
from PIL import Image

from gan_keras import config as configs
from gan_keras.cli import train
from gan_keras.errors import UsageError, UserError
from gan_keras.training import folder_lock
from tests.conftest import SMALL


@pytest.mark.parametrize("name", ["a[1]", "a]", "a*b", "what?", "back\\\\slash", "[x]/run"])
def test_names_that_tensorflow_takes_for_patterns_are_refused_at_the_start(tmp_path, name, capsys):
    """It writes checkpoints there, and finds none of them again."""
    assert train.run([*SMALL, "--steps=1", f"--workdir={tmp_path / name}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"--workdir={tmp_path / name}: TensorFlow finds no file in folders with " in line
    assert line.endswith("choose another name")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_utf_8_is_one_line(tmp_path, capsys):
    workdir = tmp_path / os.fsdecode(b"caf\xe9")
    with (
        pytest.raises(UsageError, match=r"caf\\udce9: is no UTF-8; choose another name$"),
        folder_lock.locked(workdir),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_began_while_another_was_planned_is_not_mixed_with(
    tmp_path, monkeypatch, capsys
):
    locked, stored = folder_lock.locked, []

    def later(workdir):
        configs.save(configs.from_preset("digits", seed=7), workdir)
        stored.append((workdir / configs.CONFIG_FILE).read_bytes())
        return locked(workdir)

    monkeypatch.setattr(folder_lock, "locked", later)
    workdir = tmp_path / "run"
    assert train.run([*SMALL, "--steps=1", f"--workdir={workdir}"]) == 2
    assert "holds a run of another configuration" in capsys.readouterr().err
    assert [(workdir / configs.CONFIG_FILE).read_bytes()] == stored
    assert {path.name for path in workdir.iterdir()} == {configs.CONFIG_FILE, folder_lock.LOCK}


def test_other_names_are_taken(tmp_path):
    for name in ("a b", "{x}", "caf\u00e9", "%s", "-"):
        with folder_lock.locked(tmp_path / name):
            assert (tmp_path / name).is_dir()


def test_a_folder_in_the_place_of_the_lock_is_one_line(tmp_path):
    (tmp_path / folder_lock.LOCK).mkdir()
    with (
        pytest.raises(UserError, match="cannot be written: Is a directory; choose another"),
        folder_lock.locked(tmp_path),
    ):
        pass


@pytest.fixture
def painted(tmp_path):
    """A folder of 9 grey pictures."""
    folder = tmp_path / "painted"
    folder.mkdir()
    for number in range(9):
        Image.new("L", (8, 8), 20 * number).save(folder / f"{number:02}.png")
    return folder


def test_a_refused_second_run_changes_nothing(painted, tmp_path, capsys):
    """Not even what the first one noted of its pictures, before its first checkpoint."""
    flags = ["--preset=pictures", f"--dataset=folder:{painted}", "--image_size=8", "--channels=1"]
    flags += ["--network=mlp", "--width=8", "--batch_size=8", "--latent_dim=4"]
    flags += [f"--workdir={tmp_path / 'run'}", "--mixed_precision=float32"]

    def content():
        return {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}

    assert train.run([*flags, "--steps=1"]) == 0
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        path.unlink()
    before = content()
    assert any(path.name == "images.json" for path in before)
    (painted / "03.png").unlink()
    capsys.readouterr()
    with contextlib.ExitStack() as first:
        first.enter_context(folder_lock.locked(tmp_path / "run"))
        assert train.run([*flags, "--steps=1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "in use by another process" in line
    assert content() == before
