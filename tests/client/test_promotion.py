"""A label's move: one step for all who move labels in the same file."""

import fcntl
import os
import stat

import pytest

from gan_keras import files
from gan_keras.client import promotion
from gan_keras.errors import UserError

TEXT = (
    b'model_config_list { config { name: "generator" base_path: "/g" model_platform: "tensorflow"'
    b"\r\n  # kept\r\n"
    b'  version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 1 } } }\r\n'
)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "models.config"
    path.write_bytes(TEXT)
    return path


def labels(path):
    return promotion.Labels(path).settings.labels


def test_who_came_first_is_not_overwritten(config, monkeypatch):
    """The other moves its label while this one waits for its turn."""
    lock = fcntl.flock
    other, this = promotion.Labels(config), promotion.Labels(config)

    def waited(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", lock)
        other.move("canary", 2)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", waited)
    with pytest.raises(UserError, match="was changed by another meanwhile; try again"):
        this.move("stable", 2)
    assert labels(config) == {"stable": 1, "canary": 2}


def test_nobody_else_moves_a_label_meanwhile(config, monkeypatch):
    write = files.write

    def locked(path, data, **options):
        folder = os.open(path.parent, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)
        write(path, data, **options)

    monkeypatch.setattr(files, "write", locked)
    promotion.Labels(config).move("stable", 2)
    promotion.Labels(config).move("canary", 2)  # the first one has let go
    assert labels(config) == {"stable": 2, "canary": 2}


@pytest.mark.parametrize("mode", [0o664, 0o640, 0o600])
def test_mode_and_ends_of_lines_stay(config, mode):
    config.chmod(mode)
    before = os.umask(0o077)
    try:
        promotion.Labels(config).move("stable", 2)
    finally:
        os.umask(before)
    assert stat.S_IMODE(config.stat().st_mode) == mode
    head = TEXT.replace(b'"stable" value: 1', b'"stable" value: 2')
    assert config.read_bytes().startswith(head + b"# gan-keras-promote: generator stable 1 -> 2, ")
    assert config.read_bytes().count(b"\n") == config.read_bytes().count(b"\r\n") == 4
