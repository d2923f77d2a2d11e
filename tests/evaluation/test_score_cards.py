"""Cards: files, tables, and what may not stand side by side."""

import dataclasses
import json
import os
import re

import pytest

from gan_keras import config as configs
from gan_keras.cli import compare
from gan_keras.errors import UsageError, UserError
from gan_keras.evaluation import score_cards, score_tables

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
    assert re.fullmatch(r"step-000020-precision-classifier-100-[0-9a-f]{8}\.json", path.name)
    assert score_cards.load(path) == card()
    assert list(path.parent.iterdir()) == [path]
    noise = score_cards.save(reference(score_cards.NOISE), tmp_path).name
    assert noise.startswith("uniform-noise-precision-classifier-100-")


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": {**PROTOCOL, "num_generated": 50}},
        {"protocol": {**PROTOCOL, "num_real": 50}},
        {"protocol": {**PROTOCOL, "extractor": {"name": "classifier", "sha256": "cd"}}},
        {"protocol": {**PROTOCOL, "parameters": {"k": 5}}},
        {"seed": 1},
    ],
)
def test_another_protocol_is_another_file(change, tmp_path):
    for each in (card(), card(value=0.25, **change)):
        score_cards.save(each, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    score_cards.save(card(value=0.75), tmp_path)  # The same protocol: it replaces.
    assert sorted(score_cards.load(path).value for path in tmp_path.iterdir()) == [0.25, 0.75]


def test_cards_with_names_of_older_versions_are_found(tmp_path):
    """A newer card of the same protocol stands for both."""
    old = tmp_path / "step-000020-precision-classifier.json"
    old.write_text(json.dumps(dataclasses.asdict(card())))
    os.utime(old, (1, 1))
    assert score_cards.find(tmp_path) == [card()]
    score_cards.save(card(value=0.25), tmp_path)
    assert score_cards.find(tmp_path) == [card(value=0.25)]


def test_places_are_compared_by_a_protocol_that_all_have():
    few, many = ({**PROTOCOL, "num_generated": count} for count in (50, 200))
    one = [card(protocol=many), card(protocol=few), card("recall", protocol=few)]
    two = [card(run="two", protocol=few), card("recall", run="two")]
    found = score_tables.select([one, two])
    assert found == [[one[1], one[2]], two]  # No recall is common: the table will refuse.
    with pytest.raises(UsageError, match="recall"):
        score_tables.table([*found[0], *found[1]])
    assert score_tables.select([one]) == [[one[0], one[2]]]
    later = card(protocol={**PROTOCOL, "extractor": {"name": "classifier", "sha256": "cd"}})
    assert score_tables.select([[card(), later]]) == [[later]]


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
    assert [line.split(" | ")[0].strip("| ") for line in score_tables.table(found)[2:4]] == [
        "one, step 20",
        "one, step 20, temperature 0.5",
    ]


def test_table_has_floors_last_and_says_what_is_better():
    shown = score_tables.table(
        [
            reference(score_cards.NOISE, value=0.0),
            card(run="one", value=0.5),
            card(run="two", value=0.25),
            card("frechet_distance", run="two", value=12.3456, better="lower"),
        ]
    )
    assert [line.split("|")[1].strip() for line in shown] == [
        "", "-" * 15, "one, step 20", "two, step 20", "uniform noise", "best possible",
    ]  # fmt: skip
    assert "precision (classifier) ↑" in shown[0]
    assert "frechet distance (classifier) ↓" in shown[0]
    assert "0.25 [0.15, 0.35]" in shown[3]
    assert "12.35 [12.25, 12.45]" in shown[3]
    assert [cell.strip() for cell in shown[2].split("|")[2:-1]] == ["–", "0.5 [0.4, 0.6]"]
    assert [cell.strip() for cell in shown[5].split("|")[2:-1]] == ["0", "1"]
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
        score_tables.table([card(), other])
    assert named in str(refusal.value)


def test_other_extractors_and_metrics_get_their_own_columns():
    pixels = card(protocol={**PROTOCOL, "extractor": {"name": "pixels"}})
    (head, *_) = score_tables.table([card(), pixels, card("recall")])
    assert [part.strip() for part in head.split("|")[2:-1]] == [
        "precision (classifier) ↑", "precision (pixels) ↑", "recall (classifier) ↑",
    ]  # fmt: skip


METRICS = ("parzen", "coverage", "density", "recall", "precision", "kernel_distance", "jsd")


def test_tables_fit_and_have_one_order():
    """All metrics, in whatever order, and then in the terminal's 120 columns."""
    cards = [card(metric, value=-12345.678, run="a" * 40) for metric in METRICS]
    lines = score_tables.table(cards)
    assert lines == score_tables.table(cards[::-1])
    assert max(map(len, lines)) <= 120
    heads = [line for line in lines if "↑" in line]
    assert len(heads) > 1
    names = [cell.split(" (")[0].strip() for head in heads for cell in head.split("|")[2:-1]]
    assert names == [
        "kernel distance",
        "precision",
        "recall",
        "density",
        "coverage",
        "parzen",
        "jsd",
    ]
    wide = score_tables.table(cards, width=1000)
    assert len(wide) == 4
    assert len(score_tables.table(cards, width=1)) == 7 * 5 - 1  # One column in each.


def test_the_best_values_of_known_densities_are_those_of_the_cards():
    details = {"modes": 2, "best": 2.0}
    covered = card("modes_covered", value=1.0, details=details)
    *_, run, best = score_tables.table([covered])
    assert run.split("|")[2].strip() == "1 of 2 [0.9, 1.1]"
    assert best.split("|")[2].strip() == "2"


def test_metrics_by_the_names_of_the_literature():
    assert score_tables.metric_names(["FID", " kid", "recall"]) == [
        "frechet_distance",
        "kernel_distance",
        "recall",
    ]


def scored_runs(folder, values, name="run", **fields):
    """Folders of runs of seeds 0, 1, ... with one card each."""
    for seed, value in enumerate(values):
        run = folder / f"{name}_{seed}"
        configs.save(configs.from_preset("mnist", seed=seed, **fields), run)
        score_cards.save(card(value=value, run=run.name, training_seed=seed), run / "scores")
        yield str(run)


def test_over_seeds_gives_the_mean_and_its_interval(tmp_path, capsys):
    places = list(scored_runs(tmp_path, [0.5, 0.6, 0.85]))
    score_cards.save(reference(score_cards.NOISE, value=0.0), tmp_path / "run_1" / "scores")
    assert compare.run(["--over=seed", *places]) == 0
    lines = capsys.readouterr().out.splitlines()
    # 0.65 +- 4.302653 * 0.180278 / sqrt(3), with t of two degrees of freedom from a table.
    assert lines[2].startswith("| mnist, 3 seeds, step 20 | 0.65 [0.2022, 1.098]")
    assert lines[3].startswith("| uniform noise ")
    assert lines[-1].startswith("intervals: 95 %, Student's t over 3 training seeds")


def test_over_seeds_needs_runs_that_differ_in_nothing_else(tmp_path, capsys):
    places = list(scored_runs(tmp_path, [0.5, 0.6]))
    (other,) = scored_runs(tmp_path, [0.5], "small", width=8)
    for arguments, text in (
        (places[:1], "precision of run_0, step 20 has no other run of the same configuration"),
        ([*places, other], "precision of small_0, step 20 has no other run"),
        ([places[0], places[0]], "have the same seed"),
        ([], "name runs"),
    ):
        assert compare.run(["--over=seed", *arguments]) == 2
        assert text in _only_line(capsys)
    cosine = {"learning_rate_schedule": "cosine"}
    for steps in (100, 200):  # Their rates differ at every step.
        *_, two = scored_runs(tmp_path, [0.5, 0.7], f"of_{steps}", steps=steps, **cosine)
    assert compare.run(["--over=seed", str(tmp_path / "of_100_0"), two]) == 2
    assert "of_100_0, step 20 has no other run" in _only_line(capsys)
    twins = list(scored_runs(tmp_path, [0.5, 0.7], "small", width=8))
    assert compare.run(["--over=seed", *places, *twins]) == 0
    output = capsys.readouterr().out
    for name in ("run_0", "small_0"):
        assert f"| mnist, 2 seeds as {name}, step 20 " in output


def test_a_run_without_scores_is_told_what_to_run(tmp_path, capsys):
    configs.save(configs.from_preset("mnist"), tmp_path / "run")
    assert compare.run([str(tmp_path / "run")]) == 2
    assert f"run gan-keras-evaluate --workdir={tmp_path}/run first" in _only_line(capsys)


def test_compare_prints_runs_beside_each_other(tmp_path, capsys):
    for run in ("one", "two"):
        score_cards.save(card(run=run), tmp_path / run / "scores")
    score_cards.save(reference(score_cards.TRAINING_IMAGES), tmp_path / "one" / "scores")
    assert compare.run([str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 4 + 1
    assert lines[-1].startswith("intervals: 95 %, of sampling alone")
    assert compare.run([str(tmp_path / "one" / "scores")]) == 0


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path, capsys):
    places = [tmp_path / parent / "digits" for parent in ("first", "second")]
    for place, value in zip(places, (0.25, 0.75), strict=True):
        score_cards.save(card(run="digits", value=value), place / "scores")
        score_cards.save(card("recall", run="digits", value=value), place / "scores")
    assert compare.run([str(places[0]), str(places[1] / "scores")]) == 0
    rows = capsys.readouterr().out.splitlines()[2:4]
    assert [row.split("[")[0].split() for row in rows] == [
        ["|", "first/digits,", "step", "20", "|", "0.25"],
        ["|", "second/digits,", "step", "20", "|", "0.75"],
    ]
    # Files of one run make one row, as before.
    assert compare.run([str(path) for path in (places[0] / "scores").iterdir()]) == 0
    assert "\n| digits, step 20 " in capsys.readouterr().out


def test_wrong_input_of_compare_is_one_line(tmp_path, capsys):
    damaged = tmp_path / "card.json"
    whole = dataclasses.asdict(card())
    cases = [
        ([], 2, "name runs"),
        ([str(tmp_path / "nowhere")], 2, "no score cards"),
        (["a" * 300], 2, "a: no score cards"),
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


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": "x"}, "value"),
        ({"value": None}, "value"),
        ({"value": float("nan")}, "value"),
        ({"interval": {}}, "interval.low"),
        ({"interval": []}, "interval"),
        ({"better": "x"}, "better"),
        ({"metric": 5}, "metric"),
        ({"metric": "modes_covered"}, "details.modes"),
        ({"protocol": {**PROTOCOL, "split": None}}, "protocol.split"),
        ({"protocol": {**PROTOCOL, "extractor": "pixels"}}, "protocol.extractor"),
        ({"details": None}, "details"),
        ({"details": {"best": "x"}}, "details.best"),
        ({"training_seed": [1]}, "training_seed"),
    ],
)
def test_a_field_that_no_table_can_show_is_named(change, field, tmp_path, capsys):
    """Also of cards of older versions, which have no digest."""
    path = tmp_path / "card.json"
    path.write_text(json.dumps({**dataclasses.asdict(card()), **change}))
    assert compare.run([str(path)]) == 1
    line = _only_line(capsys)
    assert f"{path}: not a score card" in line
    assert f"(field {field});" in line


def test_a_dangling_link_among_cards_is_named(tmp_path, capsys):
    (tmp_path / "card.json").symlink_to("nowhere")
    assert compare.run([str(tmp_path)]) == 1
    assert f"{tmp_path}/card.json: cannot be read: No such file" in _only_line(capsys)


def _only_line(capsys):
    output, errors = capsys.readouterr()
    assert not output
    (line,) = errors.splitlines()
    return line


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "scores").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        score_cards.save(card(), tmp_path / "scores")
