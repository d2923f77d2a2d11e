"""Damage is found whatever it is, and neither overwritten nor taken for a save cut short."""

import hashlib
import random
import subprocess

import pytest
import tensorflow as tf

from gan_keras.checkpoints import files as checkpoint_files

FILES = ("ckpt-2.data-00000-of-00001", "ckpt-2.index")


@pytest.fixture
def folder(tmp_path):
    """A checkpoint of step 2, whole."""
    values = tf.Variable(tf.random.stateless_uniform([64], seed=[0, 0]))
    tf.train.Checkpoint(values=values).write(checkpoint_files.prefix(tmp_path, 2))
    checkpoint_files.seal(tmp_path, 2)
    checkpoint_files.list_saved(tmp_path, [2])
    return tmp_path


def test_the_seal_is_what_sha256sum_writes(folder):
    expected = [f"{hashlib.sha256((folder / f).read_bytes()).hexdigest()}  {f}\n" for f in FILES]
    assert (folder / "ckpt-2.sha256").read_text() == "".join(expected)
    command = ["sha256sum", "--check", "ckpt-2.sha256"]
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode == 0
    assert checkpoint_files.damage(folder, 2) is None


@pytest.mark.parametrize("name", [*FILES, "ckpt-2.sha256"])
def test_every_flipped_bit_is_found(name, folder):
    """Each byte of a file, one bit of it: also where TensorFlow's checksums do not look."""
    raw = (folder / name).read_bytes()
    chance = random.Random(0)
    for place in range(len(raw)):
        flipped = bytearray(raw)
        flipped[place] ^= 1 << chance.randrange(8)
        (folder / name).write_bytes(flipped)
        assert "ckpt-2." in checkpoint_files.damage(folder, 2), place


@pytest.mark.parametrize("name", FILES)
def test_missing_and_truncated_files_are_named(name, folder):
    raw = (folder / name).read_bytes()
    for length in (0, 1, len(raw) // 2, len(raw) - 1):
        (folder / name).write_bytes(raw[:length])
        assert checkpoint_files.damage(folder, 2) == f"{name} is corrupt"
    (folder / name).unlink()
    assert checkpoint_files.damage(folder, 2) == f"{name} is missing"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"no digest  ckpt-2.index\n"])
def test_a_seal_that_says_nothing_is_damaged(content, folder):
    (folder / "ckpt-2.sha256").write_bytes(content)
    assert checkpoint_files.damage(folder, 2) == "ckpt-2.sha256 is corrupt"


def test_without_a_seal_tensorflows_checksums_decide(folder):
    """As of runs that are older than the seals, and of a save killed before its seal."""
    (folder / "ckpt-2.sha256").unlink()
    assert checkpoint_files.damage(folder, 2) is None
    raw = bytearray((folder / FILES[0]).read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / FILES[0]).write_bytes(raw)
    assert checkpoint_files.damage(folder, 2) == "ckpt-2.index or its data are corrupt"
    for length in (0, 100):
        (folder / FILES[0]).write_bytes(raw[:length])
        assert checkpoint_files.damage(folder, 2) == "ckpt-2.index or its data are corrupt"
    (folder / FILES[0]).unlink()
    assert checkpoint_files.damage(folder, 2) == "ckpt-2.data is missing"


def test_a_save_cut_short_is_none_and_one_that_was_listed_is(folder):
    (folder / "ckpt-9.data-00000-of-00001").write_bytes(b"half")
    assert checkpoint_files.survey(folder) == [2]
    (folder / "ckpt-9.index").write_bytes(b"half")
    assert checkpoint_files.survey(folder) == [2]
    checkpoint_files.list_saved(folder, [2, 9])
    assert checkpoint_files.survey(folder) == [9, 2]
    for path in folder.glob("ckpt-9.*"):
        path.unlink()
    assert checkpoint_files.survey(folder) == [9, 2]  # What was there is missed.


@pytest.mark.parametrize("content", [b"", b"\x00\xff garbage", b'model_checkpoint_path: "x"\n'])
def test_a_damaged_list_is_told_and_not_needed(content, folder):
    assert not checkpoint_files.list_damaged(folder)
    (folder / "checkpoint").write_bytes(content)
    assert checkpoint_files.list_damaged(folder)
    assert checkpoint_files.survey(folder) == [2]


def test_the_list_is_tensorflows(folder):
    checkpoint_files.list_saved(folder, [1, 2])
    state = tf.train.get_checkpoint_state(str(folder))
    assert state.model_checkpoint_path == str(folder / "ckpt-2")
    assert list(state.all_model_checkpoint_paths) == [str(folder / f"ckpt-{n}") for n in (1, 2)]


def test_set_aside_keeps_every_one_of_them(folder):
    for number in ("", "-2"):
        content = {path.name: path.read_bytes() for path in folder.glob("ckpt-2.*")}
        expected = {f"{n}.damaged{number}": b for n, b in content.items() if "damaged" not in n}
        checkpoint_files.set_aside(folder, 2)
        for name, data in expected.items():
            assert (folder / name).read_bytes() == data
            (folder / name.split(".damaged")[0]).write_bytes(data + b"again")
    assert len(list(folder.glob("ckpt-2.*"))) == 9


def test_nothing_is_in_a_folder_that_is_not_there(tmp_path):
    assert checkpoint_files.survey(tmp_path / "none") == []
    assert not checkpoint_files.list_damaged(tmp_path / "none")
