"""`--keep_best`: the best checkpoint while training, after a stop, and in the commands."""

import json
import shutil

import pytest
from PIL import Image

import gan_keras
from gan_keras import checkpoints
from gan_keras.cli import evaluate, export, train
from gan_keras.config import best_score
from gan_keras.evaluation import image_scores, point_scores, score_cards, stacked_scores
from gan_keras.evaluation import judge as evaluation

FLAGS = ("--preset=ring", "--width=8", "--evaluate_every=10", "--checkpoint_every=10")
FLAGS += ("--keep_best=jsd", "--keep_checkpoints=1", "--sample_every=100")


def scores_of(workdir):
    cards = map(score_cards.load, (workdir / "scores").iterdir())
    return {card.step: card.value for card in cards if card.metric == "jsd"}


def record(workdir):
    return json.loads((workdir / "checkpoints" / "best" / "best.json").read_text())


def test_the_best_of_all_evaluations_is_kept_also_by_a_resumed_run(tmp_path, capsys):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert train.run([*FLAGS, "--steps=40", f"--workdir={whole}"]) == 0
    values = scores_of(whole)
    assert len(values) == 4
    first = min(values, key=lambda step: (values[step], step))
    assert record(whole)["step"] == checkpoints.locate(whole, "best") == first
    assert record(whole)["value"] == values[first]
    assert f"step {first}: jsd {values[first]:.4g}, the best so far" in capsys.readouterr().out

    for steps in (20, 40):
        assert train.run([*FLAGS, f"--steps={steps}", f"--workdir={halves}"]) == 0
    assert record(halves) == record(whole)

    assert evaluate.run([f"--workdir={whole}", "--checkpoint=best", "--num_samples=100"]) == 0
    assert f"whole, step {first}" in capsys.readouterr().out


@pytest.mark.parametrize("last", [20, 30])
def test_scores_that_a_kill_prevented_are_made_by_the_resumed_run(last, tmp_path, monkeypatch):
    """Also where the training itself was done."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train.run([*FLAGS, f"--steps={last}", f"--workdir={whole}"]) == 0

    class Killed(BaseException):
        pass

    def kill(judge, generator, step, run):
        if step == 20:
            raise Killed
        return judged(judge, generator, step, run)

    judged = evaluation.Judge.generator
    with monkeypatch.context() as patch:
        patch.setattr(evaluation.Judge, "generator", kill)
        with pytest.raises(Killed):
            train.run([*FLAGS, f"--steps={last}", f"--workdir={killed}"])
    assert set(scores_of(killed)) == {10}
    assert checkpoints.locate(killed) == 20
    assert train.run([*FLAGS, f"--steps={last}", f"--workdir={killed}"]) == 0
    assert scores_of(killed) == scores_of(whole)
    assert record(killed) == record(whole)
    # Nothing is made twice.
    calls = []
    monkeypatch.setattr(evaluation.Judge, "generator", lambda *args: calls.append(args[2]) or [])
    for steps in (last, last + 10):
        assert train.run([*FLAGS, f"--steps={steps}", f"--workdir={killed}"]) == 0
    assert calls == [last + 10]


def test_too_few_pictures_to_score_cost_a_warning_or_a_best_checkpoint(tmp_path, capsys):
    """Whose run is refused before anything is written."""
    (tmp_path / "pictures").mkdir()
    for number in range(50):
        Image.new("L", (8, 8), number).save(tmp_path / "pictures" / f"{number}.png")
    dataset, workdir = f"folder:{tmp_path / 'pictures'}", tmp_path / "run"
    flags = ["--preset=pictures", f"--dataset={dataset}", "--image_size=8", "--channels=1"]
    flags += ["--width=4", "--batch_size=4", "--steps=1", "--evaluate_every=1"]
    told = (
        f"--evaluate_every=1: no scores while training: --dataset={dataset}: scores need 100 real "
        f"and generated images at least, and {dataset} has 50"
    )
    assert train.run([*flags, "--keep_best=kid", f"--workdir={workdir}"]) == 2
    assert f"{told}; or leave it and --keep_best out" in capsys.readouterr().err
    assert not (workdir / "config.json").exists()
    assert train.run([*flags, f"--workdir={workdir}"]) == 0
    output, errors = capsys.readouterr()
    assert told in output + errors
    assert checkpoints.locate(workdir) == 1


def test_export_and_load_take_the_best(small_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    folder = checkpoints.directory(run)
    (folder / "best").mkdir()
    for path in folder.glob("ckpt-20.*"):
        shutil.copy(path, folder / "best")
    flags = [f"--workdir={run}", f"--export_dir={tmp_path / 'exports'}"]
    assert export.run([*flags, "--checkpoint=best"]) == 0
    assert gan_keras.load(tmp_path / "exports").step == 20
    best, older = gan_keras.load(run, "best"), gan_keras.load(run, 20)
    assert best.step == older.step == 20
    assert (best.sample(3) == older.sample(3)).all()
    assert gan_keras.load(run).step == 30
    capsys.readouterr()
    assert export.run([*flags, "--checkpoint=worst"]) == 2
    assert "--checkpoint=worst: give a training step, or best" in capsys.readouterr().err


def test_names_of_scores_are_those_of_the_judges():
    assert tuple(image_scores.ImageScores.METRICS) == best_score.OF_IMAGES
    assert tuple(stacked_scores.StackedScores.METRICS) == best_score.OF_STACKED
    assert tuple(point_scores.PointScores.METRICS) == best_score.OF_POINTS
    assert set(best_score.ALIASES.values()) < set(best_score.OF_IMAGES)


@pytest.mark.parametrize(
    ("word", "name"), [("FID", "frechet_distance"), ("frechet", "frechet_distance"), ("x", "x")]
)
def test_aliases(word, name):
    assert best_score.full_name(word) == name
