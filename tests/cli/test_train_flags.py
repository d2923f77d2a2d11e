"""Whatever the command line says: a valid Config, or one line that names what is wrong."""

import dataclasses
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan_keras.cli import flags, train
from gan_keras.config import config as configs
from gan_keras.config.config import PRESETS, Config
from gan_keras.errors import UserError

NAMES = [item.name for item in dataclasses.fields(Config)]
OTHERS = ["workdir", "dry_run", "nodry_run", "cuont", "flagfile", "undefok", "s", "", "-", "é"]
NUMBERS = [
    "0",
    "1",
    "-1",
    "2",
    "28",
    "1.0",
    "1e400",
    "nan",
    "-inf",
    "0x10",
    "1_0",
    " 3 ",
    "9" * 5000,
]
CHOICES = sorted(
    {choice for item in dataclasses.fields(Config) for choice in item.metadata["choices"] or ()},
    key=str,
)
WORDS = [*map(str, CHOICES), *PRESETS, "", "folder:/x", "a\nb", "\ud800", "x" * 300, "true", "--"]
# What a shell can hand over: text without NUL, and bytes that are no UTF-8 as surrogates.
ARGUMENT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    | st.sampled_from("\udc80\udcff"),
    max_size=8,
)
VALUES = st.sampled_from(NUMBERS + WORDS) | st.integers().map(str) | st.floats().map(str) | ARGUMENT


def with_value(name):
    return VALUES.map(lambda value: f"--{name}={value}")


FLAGS = st.sampled_from(NAMES + OTHERS).flatmap(with_value)
ARGUMENTS = FLAGS | st.sampled_from(NAMES + OTHERS).map("--{}".format) | ARGUMENT


def outcome(argv):
    """The Config that the arguments make, the message that refuses them, or the exit status."""
    try:
        return train._config(flags.parse(argv, train.PROGRAM, train.SUMMARY, train._define))[0]
    except UserError as error:
        return str(error)
    except SystemExit as end:  # Help, which was asked for.
        return end.code


def check(argv):
    result = outcome(argv)
    if isinstance(result, str):
        assert result
        assert len(result.splitlines()) == 1
        result.encode()
    elif result != 0:
        assert isinstance(result, Config)
        dataclasses.replace(result)  # Validates it again.


def check_one(name, value):
    """Of a single flag that does not fit it is clear which one must be named."""
    result = outcome([f"--{name}={value}", *([] if name == "dataset" else ["--dataset=digits"])])
    if isinstance(result, str):
        assert f"--{name}=" in result
        assert len(result.splitlines()) == 1


FEW = settings(derandomize=True, max_examples=50, deadline=None, database=None)
MANY = settings(FEW, max_examples=2_000, suppress_health_check=list(HealthCheck))


@FEW
@given(st.lists(ARGUMENTS, max_size=4))
def test_any_arguments_are_valid_or_told(argv):
    check(argv)


@FEW
@given(st.sampled_from(NAMES), VALUES)
def test_a_single_flag_that_does_not_fit_is_named(name, value):
    check_one(name, value)


@pytest.mark.faults
@MANY
@given(st.lists(ARGUMENTS, max_size=4))
def test_two_thousand_command_lines(argv):
    check(argv)


@pytest.mark.faults
@MANY
@given(st.sampled_from(NAMES), VALUES)
def test_two_thousand_single_flags(name, value):
    check_one(name, value)


@pytest.mark.parametrize(
    "argv",
    [
        ["--steps=1\n2"],
        ["--dry_run=perhaps\n"],
        ["stray\nargument"],
        ["--cu\ront=1"],
        ["--preset=a\u2028b"],
        ["--dataset=folder:/a\x1b[2Jb"],
        ["--flagfile=/nowhere"],
        ["--flagfile=/dev/fd"],
        ["--nodry_run=0"],
        ["--workdir"],
        ["--workdir=" + "x" * 5000, "--steps=0"],
        ["--steps=" + "9" * 5000],
        ["--learning_rate=1e400"],
        ["--learning_rate_decay=inf"],
        ["--discriminator_learning_rate=inf"],
        ["--instance_noise=nan"],
        ["--log_every=2147483648"],
        ["--dataset="],
    ],
)
def test_awkward_mistakes(argv):
    message = outcome(argv)
    assert isinstance(message, str)
    assert len(message.splitlines()) == 1


def test_a_flag_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "flags").write_bytes(b"--steps=\xff\n")
    assert "see gan-keras-train --help" in outcome([f"--flagfile={tmp_path / 'flags'}"])


@pytest.mark.parametrize("workdir", ["x" * 300, "file/run", "config.json"])
def test_a_folder_that_cannot_be_is_no_run(tmp_path, monkeypatch, workdir):
    """It is refused when it is written to; until then there is just no run in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "config.json").write_text("{}")
    assert outcome([f"--workdir={workdir}"]) == configs.from_preset("digits")


def test_every_flag_stands_in_one_group_of_the_help(capsys):
    with pytest.raises(SystemExit):
        train._parse(["--help"])
    shown = re.findall(r"^  --(\w+): ", capsys.readouterr().out, re.MULTILINE)
    assert sorted(shown) == sorted([*NAMES, "workdir", "dry_run", "live", "live_port"])


def test_the_same_is_said_after_what_it_is_the_same_as():
    listed = [name for group in train.GROUPS.values() for name in group]
    for item in dataclasses.fields(Config):
        if item.metadata["help"].startswith("The same"):
            before = NAMES[NAMES.index(item.name) - 1]
            assert listed[listed.index(item.name) - 1] == before
