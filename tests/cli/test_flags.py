"""Reading flags, and one line for a user's mistake."""

import configparser
import ctypes
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags as absl_flags

from gan_keras.cli import flags
from gan_keras.errors import UsageError, UserError


def define(values):
    absl_flags.DEFINE_integer("count", 64, "How many.", flag_values=values)
    absl_flags.DEFINE_float("share", 0.5, "Of it.", 0.0, 1.0, flag_values=values)
    absl_flags.DEFINE_string("name", None, "What.", flag_values=values)


def parse(*argv):
    return flags.parse(argv, "program", "Does things.", define)


def test_defaults_and_values():
    assert parse().count == 64
    assert parse().name is None
    assert parse("--count=3", "--name", "x").count == 3


@pytest.mark.parametrize(
    "argument",
    ["--count=x", "--count=1.5", "--cuont=1", "stray", "--name"],
)
def test_mistakes_name_the_argument_and_the_help(argument):
    with pytest.raises(UsageError) as caught:
        parse(argument)
    message = str(caught.value)
    assert argument.strip("-").split("=")[0] in message
    assert message.endswith("see program --help")
    assert "\n" not in message


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_no_number_is_infinite_or_none_at_all(value):
    """absl's bounds let NaN pass."""
    with pytest.raises(UsageError, match="share"):
        parse(f"--share={value}")


def test_no_word_of_a_flag_file_has_a_nul(tmp_path):
    (tmp_path / "flags").write_bytes(b"--name=a\0b\n")
    with pytest.raises(UsageError, match=r"--name=a\\x00b: has a NUL character"):
        parse(f"--flagfile={tmp_path / 'flags'}")


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


def run_without_a_reader(where, code):
    """Runs a command with a stream that nobody reads; its status, and the other stream's text."""
    other = "stderr" if where == "stdout" else "stdout"
    reader, writer = os.pipe()
    os.close(reader)
    streams = {where: writer, other: subprocess.PIPE}
    program = (
        "import logging, sys; from gan_keras.cli import flags\n"
        f"def command():\n{code}"
        "sys.exit(flags.guarded('program', command))"
    )
    done = subprocess.run([sys.executable, "-c", program], text=True, timeout=60, **streams)
    os.close(writer)
    return done.returncode, getattr(done, other)


@pytest.mark.parametrize("where", ["stdout", "stderr"])
def test_a_command_whose_reader_has_gone_ends_quietly(where):
    """As `command | head`: no trace, from the command as from the interpreter's own end."""
    code = f"    print('x' * 100_000, file=sys.{where})\n    print('end', file=sys.stderr)\n"
    assert run_without_a_reader(where, code) == (128 + signal.SIGPIPE, "")


SETUP = configparser.ConfigParser()
SETUP.read(Path(__file__).parent.parent.parent / "setup.cfg")
COMMANDS = SETUP["options.entry_points"]["console_scripts"].split("\n")[1:]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_ends_quietly_when_its_reader_has_gone(command):
    """As `command | head -1`, which may be gone before the first line or after it."""
    module, function = command.split(" = ")[1].split(":")
    program = f"import sys; from {module} import {function}; sys.exit({function}(['--help']))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_full_disk_under_standard_output_is_one_line(size, unbuffered):
    program = (
        "import sys; from gan_keras.cli import flags\n"
        f"sys.exit(flags.guarded('program', lambda: print('x' * {size})))"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    told = "program: standard output or a file: No space left on device; make room there\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_what_the_encoding_of_standard_output_lacks():
    program = (
        "import sys; from gan_keras.cli import flags\n"
        "sys.exit(flags.guarded('program', lambda: print('caf\\xe9 \\u5b57')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"caf\xe9 \\u5b57\n", b"")


@pytest.mark.parametrize("where", ["stdout", "stderr"])
def test_a_report_that_nobody_reads_ends_nothing(where):
    """A run comes to its checkpoint, and a server goes on answering."""
    code = (
        "    logging.getLogger('gan_keras.x').info('information')\n"
        "    logging.getLogger('gan_keras.x').warning('warning')\n"
        "    print('out'); print('err', file=sys.stderr)\n"
    )
    expected = {"stdout": "warning\nerr\n", "stderr": "information\nout\n"}[where]
    assert run_without_a_reader(where, code) == (0, expected)


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


class ResourceExhaustedError(Exception):
    """Stands for TensorFlow's, which is known by its name."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory; give it more"),
        (MemoryError("Unable to allocate 3 TiB\nfor x"), "(Unable to allocate 3 TiB); give it"),
        (ResourceExhaustedError("OOM when allocating tensor\n[[x]]"), "(OOM when allocating ten"),
        (RuntimeError("can't start new thread"), "(can't start new thread); give it"),
        (ImportError("x.so: failed to map segment from shared object"), "map segment from sha"),
    ],
)
def test_out_of_memory_is_one_line(error, said, capsys):
    def command():
        raise error

    assert flags.guarded("program", command) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("program: out of memory")
    assert said in line


def in_a_shell(before, code, after=""):
    """Runs a command in a process that a shell prepares; its status, and its standard error."""
    script = f'{before} exec "$0" -c "$1" {after}'
    program = f"import os, sys; from gan_keras.cli import flags\n{code}"
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, program], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stderr


def test_too_little_address_space_is_one_line():
    code = "sys.exit(flags.guarded('program', flags.import_tensorflow))"
    status, errors = in_a_shell("ulimit -v 1000000;", code)
    assert (status, errors.count("\n")) == (1, 1)
    assert errors.startswith("program: ulimit -v 1000000: TensorFlow takes 3145728 KiB")


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_from_the_start(closed, tmp_path):
    """Nobody's file gets their number, and what is printed to them goes nowhere."""
    code = (
        "def command():\n"
        f"    with open({str(tmp_path / 'file')!r}, 'w') as file:\n"
        "        print('out'); print('err', file=sys.stderr); sys.stderr.flush()\n"
        "        os.write(1, b'1'); os.write(2, b'2')\n"
        "        file.write(str(file.fileno() > 2))\n"
        "sys.exit(flags.guarded('program', command))"
    )
    status, _ = in_a_shell("", code, closed)
    assert (status, (tmp_path / "file").read_text()) == (0, "True")


def test_no_command_imports_a_large_library_before_its_flags_are_read():
    """Help, and what a wrong flag costs, would take a second or more by that."""
    script = """
import importlib, pkgutil, sys
from gan_keras import cli
for module in pkgutil.iter_modules(cli.__path__):
    importlib.import_module(f"gan_keras.cli.{module.name}")
heavy = {"numpy", "scipy", "sklearn", "PIL", "matplotlib", "grpc", "keras", "tensorflow"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_cusolver_is_loaded_where_tensorflow_does_not_look(monkeypatch, tmp_path):
    """Of `tensorflow[and-cuda]`; a file that is no library keeps nobody from going on."""
    library = tmp_path / "nvidia" / "cusolver" / "lib" / "libcusolver.so.11"
    library.parent.mkdir(parents=True)
    library.touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)
    asked, load = [], ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda path: asked.append(path) or load(path))
    flags.import_tensorflow()
    assert asked == [str(library)]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere TensorFlow chooses")
def test_what_trains_computes_by_onednn():
    """Also where the CPU is none that TensorFlow takes it for; oneDNN itself names what it does."""
    script = (
        "from gan_keras.cli import flags; flags.import_tensorflow(onednn=True); "
        "import tensorflow as tf; tf.nn.conv2d(tf.ones((8, 16, 16, 8)), tf.ones((3, 3, 8, 8)), 1, "
        "'SAME')"
    )
    environment = {**os.environ, "ONEDNN_VERBOSE": "1"}
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert "exec,cpu,convolution" in done.stdout, done.stderr


def test_who_has_chosen_about_onednn_keeps_the_choice(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    flags.import_tensorflow(onednn=True)
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"


def test_a_server_leaves_onednn_to_tensorflow(monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    flags.import_tensorflow()
    assert "TF_ENABLE_ONEDNN_OPTS" not in os.environ
