"""Config: presets, bounds, the JSON file, and what a resumed run may change."""

import dataclasses
import json

import pytest

from gan_keras.config import config as configs
from gan_keras.config.config import PRESETS, Config, from_preset
from gan_keras.errors import UsageError, UserError

DIGITS = from_preset("digits")
PENALISED = from_preset("digits", network="plain")


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "pictures"])
def test_presets_are_valid_and_named(preset):
    assert from_preset(preset).preset == preset


def test_pictures_needs_a_data_set():
    with pytest.raises(UsageError, match="--dataset=folder:/path"):
        from_preset("pictures")
    assert from_preset("pictures", dataset="folder:/x").image_size == 64


def test_overrides_win_over_the_preset():
    assert PRESETS["mnist"]["steps"] != 7
    assert from_preset("mnist", steps=7).steps == 7


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("preset", "nope"),
        ("network", "resnet"),
        ("prior", "cauchy"),
        ("generator_loss", "hinge"),
        ("strategy", "tpu"),
        ("channels", 2),
        ("batch_size", 1),
        ("batch_size", 2.0),
        ("steps", 0),
        ("steps", True),
        ("seed", -1),
        ("seed", 2**31),
        ("latent_dim", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("beta_1", 1.0),
        ("beta_1", float("nan")),
        ("log_every", 0),
        ("image_size", "8"),
    ],
)
def test_a_bad_value_is_named_in_one_line(field, value):
    with pytest.raises(UsageError) as caught:
        dataclasses.replace(DIGITS, **{field: value})
    message = str(caught.value)
    assert message.startswith(f"--{field}=")
    assert str(value) in message
    assert "\n" not in message


def test_every_field_has_help():
    for field in dataclasses.fields(Config):
        assert field.metadata["help"].endswith("."), field.name


def test_json_round_trip(tmp_path):
    config = from_preset("mlp", learning_rate=1e-3, data_dir="/somewhere")
    configs.save(config, tmp_path / "run")
    assert configs.load(tmp_path / "run") == config
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_an_edited_file_is_named_and_may_be_used(tmp_path):
    configs.save(DIGITS, tmp_path)
    path = tmp_path / "config.json"
    lines = path.read_text().replace('"seed": 0', '"seed": 1').splitlines()
    path.write_text("\n".join(lines))
    said = r"config\.json: corrupt or edited: its sha256 .* remove the line `sha256` to use it"
    with pytest.raises(UserError, match=said):
        configs.load(tmp_path)
    # As it stands in the message: the line, and the comma before it.
    (last,) = [line for line in lines if "sha256" in line]
    path.write_text("\n".join(lines).replace(f",\n{last}", ""))
    assert configs.load(tmp_path) == dataclasses.replace(DIGITS, seed=1)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        json.dumps({**dataclasses.asdict(DIGITS), "new": 1}),
        json.dumps({**dataclasses.asdict(DIGITS), "steps": -1}),
        "\x00\xff",
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config\.json: "):
        configs.load(tmp_path)


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(UserError, match=r"empty: no config\.json there; train"):
        configs.load(tmp_path / "empty")


def test_the_length_of_a_cosine_may_not_change():
    falling = dataclasses.replace(DIGITS, learning_rate_schedule="cosine")
    with pytest.raises(UsageError, match=r"steps 3000 -> 4000, by .* cosine fall\)"):
        configs.check_resumable(falling, dataclasses.replace(falling, steps=4000), "runs/x")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"r1_weight": 1.0}, "--r1_weight=1.0: .*; choose --network=plain, .* or points"),
        ({"network": "maxout", "r2_weight": 1.0}, "--r2_weight=1.0: .* maxout"),
        (
            {"keep_best": "jsd", "evaluate_every": 1},
            "--keep_best=jsd: choose from frechet_distance",
        ),
        ({"keep_best": "kid"}, "--keep_best=kid: nothing is evaluated; add --evaluate_every"),
        (
            {"dataset": "ring", "keep_best": "kid", "evaluate_every": 1},
            "--keep_best=kid: choose from jsd",
        ),
        ({"dataset": "ring", "conditional": True}, "--conditional: ring has no classes"),
        (
            {"learning_rate_schedule": "cosine", "learning_rate_decay": 1.5},
            "--learning_rate_decay=1.5: not beside --learning_rate_schedule=cosine",
        ),
        (
            {"ema_half_life": 1e3, "ema_decay": 0.9},
            "--ema_half_life=1000.0: not beside --ema_decay",
        ),
        (
            {"augment": "color,rotate"},
            "--augment=color,rotate: rotate is unknown; choose from color",
        ),
        ({"augment_target": 0.6}, "--augment_target=0.6: nothing is augmented; give --augment="),
        ({"augment": "color", "dataset": "ring"}, "--augment: ring has points, not images"),
        ({"flip": True, "dataset": "ring"}, "--flip: ring has points, not images"),
    ],
)
def test_what_does_not_go_together(fields, said):
    with pytest.raises(UsageError, match=f"^{said}"):
        from_preset("digits", **fields)


def test_length_intervals_and_places_may_change():
    wanted = dataclasses.replace(DIGITS, steps=1, log_every=1, sample_every=1, checkpoint_every=1)
    wanted = dataclasses.replace(wanted, data_dir="/moved", keep_checkpoints=9)
    configs.check_resumable(DIGITS, wanted, "runs/x")


@pytest.mark.parametrize(
    "field", [f.name for f in dataclasses.fields(Config) if f.name not in configs.MAY_CHANGE]
)
def test_any_other_change_is_refused_with_the_difference(field):
    other = {
        "preset": "mnist",
        "dataset": "mnist",
        "network": "mlp",
        "prior": "uniform",
        "generator_loss": "minimax",
        "strategy": "mirrored",
        "channels": 3,
        "learning_rate": 0.5,
        "beta_1": 0.25,
        "optimizer": "momentum",
        "momentum": 0.25,
        "final_momentum": 0.25,
        "ema_decay": 0.25,
        "mixed_precision": "bfloat16",
        "conditional": True,
        "learning_rate_schedule": "cosine",
        "beta_2": 0.25,
        "flip": True,
        "augment": "cutout",
        "augment_target": 0.25,
    }.get(field, 17)
    stored = PENALISED if field.startswith(("r1", "r2")) else DIGITS
    stored = dataclasses.replace(DIGITS, augment="color") if field == "augment_target" else stored
    wanted = dataclasses.replace(stored, **{field: other})
    with pytest.raises(UsageError) as caught:
        configs.check_resumable(stored, wanted, "runs/x")
    message = str(caught.value)
    assert message.startswith("--workdir=runs/x: ")
    assert f"{field} {getattr(DIGITS, field)!r} -> {other!r}" in message


def test_kinds_of_augmentation_are_a_list():
    assert DIGITS.augmentations == ()
    both = dataclasses.replace(DIGITS, augment="translation,color")
    assert both.augmentations == ("translation", "color")
