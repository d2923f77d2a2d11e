"""The sign that a command is at work: on terminals only, and gone when the work is done."""

import os
import pty

import pytest

from gan_keras.cli.moving_sign import moving_sign


def test_it_turns_and_leaves_an_empty_place():
    screen, terminal = pty.openpty()
    try:
        with moving_sign(terminal, pause=0.001):
            seen = b""
            while b"-\r" not in seen:
                seen += os.read(screen, 100)
        while not seen.endswith(b" \r"):
            seen += os.read(screen, 100)
        assert seen.startswith(b"|\r/\r-\r")
    finally:
        os.close(screen)
        os.close(terminal)


def test_a_file_gets_nothing(tmp_path):
    with open(tmp_path / "log", "wb") as log, moving_sign(log.fileno(), pause=0.0):
        pass
    assert (tmp_path / "log").read_bytes() == b""


def test_it_ends_where_the_work_fails_and_where_the_terminal_has_gone():
    screen, terminal = pty.openpty()
    os.close(screen)
    with pytest.raises(ZeroDivisionError), moving_sign(terminal, pause=0.001):
        1 / 0  # noqa: B018
    os.close(terminal)
