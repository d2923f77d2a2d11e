"""Reading flags, and one line for a user's mistake."""

import os
import signal
import subprocess
import sys

import pytest
from absl import flags as absl_flags

from gan_keras.cli import flags
from gan_keras.errors import UsageError, UserError


def define(values):
    absl_flags.DEFINE_integer("count", 64, "How many.", flag_values=values)
    absl_flags.DEFINE_string("name", None, "What.", flag_values=values)


def parse(*argv):
    return flags.parse(argv, "program", "Does things.", define)


def test_defaults_and_values():
    assert parse().count == 64
    assert parse().name is None
    assert parse("--count=3", "--name", "x").count == 3


@pytest.mark.parametrize("argument", ["--count=x", "--count=1.5", "--cuont=1", "stray", "--name"])
def test_mistakes_name_the_argument_and_the_help(argument):
    with pytest.raises(UsageError) as caught:
        parse(argument)
    message = str(caught.value)
    assert argument.strip("-").split("=")[0] in message
    assert message.endswith("see program --help")
    assert "\n" not in message


def test_help_lists_the_flags_and_their_defaults(capsys):
    with pytest.raises(SystemExit) as caught:
        parse("--help")
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert "program: Does things." in printed
    assert "--count: How many. (default: 64)" in printed
    assert "--name: What.\n" in printed


@pytest.mark.parametrize(("error", "status"), [(UsageError, 2), (UserError, 1)])
def test_a_mistake_is_one_line_and_a_status(error, status, capsys):
    def command():
        raise error("--x=1: no")

    assert flags.guarded("program", command) == status
    captured = capsys.readouterr()
    assert captured.err == "program: --x=1: no\n"
    assert captured.out == ""


@pytest.mark.parametrize("where", ["stdout", "stderr"])
def test_a_command_whose_reader_has_gone_ends_quietly(where):
    """As `command | head`: no trace, from the command as from the interpreter's own end."""
    code = (
        "import logging, sys; from gan_keras.cli import flags\n"
        "def command():\n"
        "    logging.getLogger('gan_keras.x').info('information')\n"
        "    logging.getLogger('gan_keras.x').warning('warning')\n"
        f"    print('x' * 100_000, file=sys.{where})\n"
        "    print('end', file=sys.stderr)\n"
        "sys.exit(flags.guarded('program', command))"
    )
    other = "stderr" if where == "stdout" else "stdout"
    reader, writer = os.pipe()
    os.close(reader)
    streams = {where: writer, other: subprocess.PIPE}
    done = subprocess.run([sys.executable, "-c", code], text=True, timeout=60, **streams)
    os.close(writer)
    assert done.returncode == 128 + signal.SIGPIPE
    assert getattr(done, other) == {"stdout": "information\n", "stderr": "warning\n"}[other]


def test_no_folder_for_temporary_files_is_one_line(tmp_path, monkeypatch, capsys):
    def missing():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(flags.tempfile, "TemporaryFile", missing)
    assert flags.guarded("program", flags.import_tensorflow) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("program: TMPDIR: no folder for temporary files: No usable")


def test_a_defect_is_not_hidden_as_a_mistake():
    with pytest.raises(ZeroDivisionError):
        flags.guarded("program", lambda: 1 / 0)
