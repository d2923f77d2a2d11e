"""A label is moved in the text, whatever its style, and nothing else changes."""

import pytest

from gan_keras.errors import UserError
from gan_keras.exporting import label_moves, model_config

HEAD = 'name: "generator" base_path: "/models/generator" model_platform: "tensorflow"'
POLICY = "model_version_policy { all {} }"


def config(inside):
    return f"model_config_list {{ config {{ {HEAD} {POLICY} {inside} }} }}\n"


def labels(text):
    return {each.name: dict(each.labels) for each in model_config.from_text(text, "text")}


STYLES = {
    "a label on one line": config('version_labels { key: "stable" value: 1 }'),
    "value first": config('version_labels { value: 1 key: "stable" }'),
    "single quotes": config("version_labels { key: 'stable' value: 1 }"),
    "angles and semicolons": config('version_labels < key: "stable"; value: 1; >'),
    "with a colon": config('version_labels: { key: "stable", value: 1 }'),
    "a list": config('version_labels: [{ key: "stable" value: 1 }, { key: "x" value: 5 }]'),
    "hexadecimal": config('version_labels { key: "stable" value: 0x1 }'),
    "value omitted": config('version_labels { key: "stable" }'),
    "comments with brackets": config(
        '# a } in { a "comment\n version_labels { key: "stable" # value: 7 }\n value: 1 }'
    ),
    "twice, of which the last counts": config(
        'version_labels { key: "stable" value: 9 } version_labels { key: "stable" value: 1 }'
    ),
    "strings side by side": config('version_labels { key: "stable" value: 1 }').replace(
        '"/models/generator"', '"/models" \'/gener\' "ator"'
    ),
    "another model first": config('version_labels { key: "stable" value: 1 }').replace(
        "model_config_list {",
        'model_config_list { config { name: "x" base_path: "/x" model_platform: "tensorflow"'
        ' version_labels { key: "stable" value: 1 } }',
    ),
    "no label yet": config(""),
    "no label, several lines": config("").replace("{ all {} }", "{ all {} }\n  "),
}


@pytest.mark.parametrize("style", STYLES)
def test_styles(style):
    text = STYLES[style]
    edited = label_moves.moved(text, "text", "generator", "stable", 2)
    expected = labels(text)
    expected["generator"]["stable"] = 2
    assert labels(edited) == expected
    was = labels(text)["generator"].get("stable", "none")
    assert f"# gan-keras-promote: generator stable {was} -> 2, 2" in edited.splitlines()[-1]


def test_one_number_changes_and_one_line_is_added():
    text = config(
        'version_labels { key: "canary" value: 2 } version_labels { key: "stable" value: 1 }'
    )
    edited = label_moves.moved(text, "text", "generator", "stable", 2)
    body, line = edited.rsplit("\n", 2)[:2]
    assert f"{body}\n" == text.replace('key: "stable" value: 1', 'key: "stable" value: 2')
    assert line.startswith("# gan-keras-promote: ")


def test_a_label_that_is_added_has_a_line_of_its_own():
    text = "model_config_list {\n  config {\n    " + HEAD + "\n  }\n}\n"
    edited = label_moves.moved(text, "text", "generator", "stable", 2)
    line = '    version_labels { key: "stable" value: 2 }'
    assert edited.startswith(text.replace("\n  }\n", f"\n{line}\n  }}\n"))


@pytest.mark.parametrize("inside", ["", 'version_labels { key: "stable" value: 1 }'])
def test_ends_of_lines_stay_those_of_the_file(inside):
    text = config(f"\n{inside}\n").replace("\n", "\r\n")
    edited = label_moves.moved(text, "text", "generator", "stable", 2)
    assert edited.count("\r\n") == edited.count("\n") > text.count("\n")
    assert label_moves.before(edited, "generator", "stable") == (1 if inside else None)


def test_moves_are_undone_in_turn():
    text = config('version_labels { key: "stable" value: 1 }')

    def move(version, rollback=False):
        return label_moves.moved(text, "text", "generator", "stable", version, rollback)

    assert label_moves.before(text, "generator", "stable") is None
    text = move(2)
    text = move(5)
    assert label_moves.before(text, "generator", "stable") == 2
    assert label_moves.before(text, "generator", "canary") is None
    assert label_moves.before(text, "other", "stable") is None
    text = move(2, rollback=True)
    assert label_moves.before(text, "generator", "stable") == 1
    text = move(1, rollback=True)
    assert label_moves.before(text, "generator", "stable") is None
    assert labels(text)["generator"] == {"stable": 1}


def test_what_is_not_understood_is_left_to_its_owner():
    text = config('version_labels { key: "stable" value: 1 }').replace(
        "generator", 'gener" "ator', 1
    )
    with pytest.raises(UserError, match="cannot be edited as it is written; write version_labels"):
        label_moves.moved(text, "text", "generator", "stable", 2)


def test_a_label_in_another_writing_stays_and_the_last_one_counts():
    text = config('version_labels { key: "sta" "ble" value: 1 }')
    moved = label_moves.moved(text, "text", "generator", "stable", 2)
    assert '"sta" "ble" value: 1' in moved
    assert labels(moved)["generator"] == {"stable": 2}
