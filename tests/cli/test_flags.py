"""Reading flags, and one line for a user's mistake."""

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


def test_a_defect_is_not_hidden_as_a_mistake():
    with pytest.raises(ZeroDivisionError):
        flags.guarded("program", lambda: 1 / 0)
