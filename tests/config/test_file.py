"""config.json of other versions, and of anybody's making: a valid Config or one clear line."""

import dataclasses
import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan_keras import __version__
from gan_keras.config import config as configs
from gan_keras.config import file as config_file
from gan_keras.config.config import PRESETS, Config
from gan_keras.errors import UserError

NAMES = [item.name for item in dataclasses.fields(Config)]
# As the first version wrote it.
FIRST = """{
  "preset": "mlp", "dataset": "mnist", "data_dir": "", "image_size": 28, "channels": 1,
  "network": "mlp", "width": 256, "latent_dim": 100, "prior": "normal", "batch_size": 128,
  "steps": 20000, "seed": 7, "discriminator_steps": 1, "generator_loss": "non_saturating",
  "learning_rate": 0.0002, "beta_1": 0.5, "strategy": "auto", "log_every": 100,
  "sample_every": 1000, "checkpoint_every": 2000, "keep_checkpoints": 3
}
"""


def write(folder, text):
    Path(folder, configs.CONFIG_FILE).write_text(text, encoding="utf-8", errors="surrogatepass")
    return folder


def test_a_run_of_the_first_version_is_what_it_was(tmp_path):
    config = configs.load(write(tmp_path, FIRST))
    assert {name: getattr(config, name) for name in json.loads(FIRST)} == json.loads(FIRST)
    # What the first version did, where later ones leave a choice.
    assert (config.optimizer, config.mixed_precision) == ("adam", "float32")
    assert (config.held_out, config.evaluate_every, config.ema_decay) == (0, 0, 0)
    assert (config.discriminator_learning_rate, config.learning_rate_decay) == (0, 1)
    assert config.instance_noise == 0
    # So the same command resumes the run with it, in the precision that it began in.
    wanted = configs.from_preset("mlp", seed=7, mixed_precision=config.mixed_precision)
    configs.check_resumable(config, wanted, tmp_path)
    assert set(config_file.FIRST_FIELDS) == set(json.loads(FIRST))


def test_fields_of_a_newer_version_are_named(tmp_path):
    write(tmp_path, json.dumps({**json.loads(FIRST), "spectral": True, "\n": 1}))
    with pytest.raises(UserError) as caught:
        configs.load(tmp_path)
    assert str(caught.value) == (
        rf"{tmp_path}/config.json: has fields that gan_keras {__version__} does not know "
        r"(\n, spectral), as a newer version writes them; install that, or choose another --workdir"
    )


def test_fields_that_were_always_there_are_named(tmp_path):
    fields = json.loads(FIRST)
    del fields["seed"], fields["width"]
    write(tmp_path, json.dumps(fields))
    with pytest.raises(UserError, match=r"lacks fields that every version writes \(width, seed\)"):
        configs.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON: .*recursion"),
        ("9" * 5000, "cannot be read as JSON"),
        ("null", "holds no configuration"),
        (FIRST.replace("0.0002", "1e999"), "--learning_rate=inf: must be finite"),
        (FIRST.replace("0.0002", "1" + "0" * 400), "--learning_rate=1000.*: must be finite"),
        (FIRST.replace("0.5", "NaN"), "--beta_1=nan: must be finite"),
        (FIRST.replace("20000", str(2**63)), "--steps=9223372036854775808: must be at most"),
        (FIRST.replace('"mnist"', r'"a\nb"'), r"--dataset=a\\nb: has characters that cannot be"),
        (FIRST.replace('"mnist"', r'"\ud800"'), r"--dataset=\\ud800: has characters that cannot"),
        (FIRST.replace('"mnist"', '""'), "--dataset: empty; name your pictures"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_in_one_line(tmp_path, text, problem):
    with pytest.raises(UserError, match=rf"config\.json: {problem}") as caught:
        configs.load(write(tmp_path, text))
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "config.json").mkdir()
    with pytest.raises(UserError, match=r"config\.json: cannot be read: Is a directory; "):
        configs.load(tmp_path)
    with pytest.raises(UserError, match=r"config\.json: cannot be read: File name too long; "):
        configs.load("x" * 300)


NUMBERS = st.sampled_from([0, 1, 2, -1, 10**9, 2**31, 2**63, 10**400, 0.5, 1.0, 1e308, 1e-320])
ANY_NUMBER = NUMBERS | st.integers() | st.floats()
WORDS = st.sampled_from(["", "digits", "mnist", "folder:/x", "mlp", "adam", "auto", "bfloat16"])
SCALARS = st.none() | st.booleans() | ANY_NUMBER | WORDS | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def changed_configurations(draw):
    """A valid file of which some fields were replaced, dropped or added: now and then none."""
    preset = draw(st.sampled_from(sorted(PRESETS)))
    fields = dataclasses.asdict(configs.from_preset(preset, dataset="digits"))
    fields |= draw(st.dictionaries(st.sampled_from(NAMES), SCALARS | VALUES, max_size=3))
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
        fields.pop(name, None)
    return json.dumps(fields | draw(st.dictionaries(st.text(max_size=4), VALUES, max_size=1)))


def is_valid(config):
    """Whether every field has its type and is inside its bounds."""
    for item in dataclasses.fields(Config):
        value, bounds = getattr(config, item.name), item.metadata
        kinds = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}[item.type]
        if not isinstance(value, kinds) or isinstance(value, bool) != (item.type is bool):
            return False
        if item.type is not str and not (math.isfinite(float(value)) and abs(value) < 1e309):
            return False
        if item.type is int and value >= 2**31:
            return False
        if item.type is str and len(f".{value}.".splitlines()) > 1:
            return False
        if bounds["choices"] and value not in bounds["choices"]:
            return False
        if bounds["least"] is not None and value < bounds["least"]:
            return False
        if bounds["most"] is not None and value > bounds["most"]:
            return False
        if bounds["above"] is not None and value <= bounds["above"]:
            return False
        if bounds["below"] is not None and value >= bounds["below"]:
            return False
    return config.preset in PRESETS and config.dataset != ""


def check_file(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(write(folder, text), configs.CONFIG_FILE)
        try:
            config = configs.load(folder)
        except UserError as error:
            message = str(error)
            assert message.startswith(f"{path}: ")
            assert len(message.splitlines()) == 1
            message.encode()
            return False
        assert is_valid(config)
        # What was read can be written, and is the same when it is read again.
        configs.save(config, folder)
        assert configs.load(folder) == config
        return True


FEW = settings(derandomize=True, max_examples=50, deadline=None, database=None)
MANY = settings(
    FEW,
    max_examples=2_000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@FEW
@given(changed_configurations())
def test_any_change_of_a_file_is_valid_or_told(text):
    check_file(text)


@FEW
@given(st.text() | VALUES.map(json.dumps))
def test_any_other_text_is_told(text):
    assert not check_file(text)


@pytest.mark.faults
@MANY
@given(changed_configurations())
def test_two_thousand_changes(text):
    check_file(text)


@pytest.mark.faults
@MANY
@given(st.text() | VALUES.map(json.dumps))
def test_two_thousand_other_texts(text):
    assert not check_file(text)
