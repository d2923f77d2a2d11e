"""Cards: files, tables, and what may not stand side by side."""

import dataclasses
import json

import pytest

from gan_keras.cli import compare
from gan_keras.errors import UsageError, UserError
from gan_keras.evaluation import score_cards

PROTOCOL = {
    "dataset": "mnist",
    "shape": [28, 28, 1],
    "num_generated": 100,
    "parameters": {"k": 3},
    "split": "test",
    "num_real": 100,
    "extractor": {"name": "classifier", "sha256": "ab"},
}


def card(metric="precision", value=0.5, run="one", step=20, **changes):
    fields = {
        "metric": metric,
        "unit": "share",
        "better": "higher",
        "value": value,
        "interval": {"low": value - 0.1, "high": value + 0.1, "level": 0.95, "method": "Wilson"},
        "protocol": PROTOCOL,
        "subject": score_cards.GENERATOR,
        "run": run,
        "step": step,
        "preset": "mnist",
        "training_seed": 0,
        "seed": 0,
        "details": {},
        "version": "1",
        "wall_seconds": 1.0,
    }
    return score_cards.ScoreCard(**{**fields, **changes})


def reference(subject, **changes):
    return card(subject=subject, run=None, step=None, preset=None, training_seed=None, **changes)


def test_a_card_survives_its_file(tmp_path):
    path = score_cards.save(card(), tmp_path / "scores")
    assert path.name == "step-000020-precision-classifier.json"
    assert score_cards.load(path) == card()
    assert list(path.parent.iterdir()) == [path]
    assert score_cards.save(reference(score_cards.NOISE), tmp_path).name == (
        "uniform-noise-precision-classifier.json"
    )


def test_newest_step_of_a_run(tmp_path):
    for step in (5, 40, 20):
        score_cards.save(card(step=step, value=step / 100), tmp_path / "scores")
    score_cards.save(card("recall", step=5), tmp_path / "scores")
    found = {(c.metric, c.step) for c in score_cards.find(tmp_path)}
    assert found == {("precision", 40), ("recall", 5)}


def test_a_temperature_is_another_row_and_another_file(tmp_path):
    cooled = card(value=0.25, temperature=0.5)
    for each in (card(), cooled):
        score_cards.save(each, tmp_path / "scores")
    found = score_cards.find(tmp_path)
    assert sorted(found, key=lambda each: each.value) == [cooled, card()]
    assert [line.split(" | ")[0].strip("| ") for line in score_cards.table(found)[2:]] == [
        "one, step 20",
        "one, step 20, temperature 0.5",
    ]


def test_table_has_floors_last_and_says_what_is_better():
    shown = score_cards.table(
        [
            reference(score_cards.NOISE, value=0.0),
            card(run="one", value=0.5),
            card(run="two", value=0.25),
            card("frechet_distance", run="two", value=12.3456, better="lower"),
        ]
    )
    assert [line.split("|")[1].strip() for line in shown] == [
        "", "-" * 15, "one, step 20", "two, step 20", "uniform noise",
    ]  # fmt: skip
    assert "precision (classifier) ↑" in shown[0]
    assert "frechet distance (classifier) ↓" in shown[0]
    assert "0.25 [0.15, 0.35]" in shown[3]
    assert "12.35 [12.25, 12.45]" in shown[3]
    assert shown[2].rstrip(" |").endswith("–")
    assert len({len(line) for line in shown}) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"split": "train"}, "split 'test' and 'train'"),
        ({"num_generated": 50}, "num_generated 100 and 50"),
        ({"extractor": {"name": "classifier", "sha256": "cd"}}, "extractor.sha256 'ab' and 'cd'"),
        ({"parameters": {"k": 5}}, "parameters.k 3 and 5"),
    ],
)
def test_other_protocols_are_refused_side_by_side(change, named):
    other = card(run="two", protocol={**PROTOCOL, **change})
    with pytest.raises(UsageError, match="one, step 20 and of two, step 20") as refusal:
        score_cards.table([card(), other])
    assert named in str(refusal.value)


def test_other_extractors_and_metrics_get_their_own_columns():
    pixels = card(protocol={**PROTOCOL, "extractor": {"name": "pixels"}})
    (head, *_) = score_cards.table([card(), pixels, card("recall")])
    assert [part.strip() for part in head.split("|")[2:-1]] == [
        "precision (classifier) ↑", "precision (pixels) ↑", "recall (classifier) ↑",
    ]  # fmt: skip


def test_compare_prints_runs_beside_each_other(tmp_path, capsys):
    for run in ("one", "two"):
        score_cards.save(card(run=run), tmp_path / run / "scores")
    score_cards.save(reference(score_cards.TRAINING_IMAGES), tmp_path / "one" / "scores")
    assert compare.run([str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3
    assert compare.run([str(tmp_path / "one" / "scores")]) == 0


def test_wrong_input_of_compare_is_one_line(tmp_path, capsys):
    damaged = tmp_path / "card.json"
    whole = dataclasses.asdict(card())
    cases = [
        ([], 2, "name runs"),
        ([str(tmp_path / "nowhere")], 2, "no score cards"),
        ([str(tmp_path)], 2, "no score cards"),
        (["--wrong"], 2, "wrong"),
    ]
    for arguments, code, text in cases:
        assert compare.run(arguments) == code
        assert text in _only_line(capsys)
    for content in ("{", "[]", "{}", json.dumps({**whole, "protocol": {}}), "7"):
        damaged.write_text(content)
        assert compare.run([str(damaged)]) == 1
        assert f"{damaged}: not a score card" in _only_line(capsys)


def _only_line(capsys):
    output, errors = capsys.readouterr()
    assert not output
    (line,) = errors.splitlines()
    return line


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "scores").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        score_cards.save(card(), tmp_path / "scores")
