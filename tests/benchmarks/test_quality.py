"""`benchmarks.quality`: its clock, what it scores, and its table, with minutes that do not pass."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import processes, quality, runner, workload
from gan_keras import config as configs
from gan_keras import training
from gan_keras.evaluation import image_scores
from gan_keras.metrics import bootstrap


def test_minutes_do_not_pass_while_pictures_are_drawn():
    time = [100.0]
    drawn = []

    def draw(minute):
        drawn.append((minute, time[0]))
        time[0] += 1000.0
        return f"{minute}.npy"

    clock = quality.Marks([1.0, 2.0], began=90.0, draw=draw, now=lambda: time[0])
    for expected in [True] * 5:
        time[0] += 15.0
        assert clock.tick(8) is expected
    assert drawn == [(1.0, 160.0)]  # 70 s after its start; 10 of them before the first step
    for expected in [True, True, False]:
        time[0] += 15.0
        assert clock.tick(8) is expected
    assert clock.marks == [
        {"minutes": 70 / 60, "step": 32, "pictures": "1.0.npy"},
        {"minutes": 130 / 60, "step": 64, "pictures": "2.0.npy"},
    ]


def test_a_minute_has_the_newest_checkpoint_that_was_there():
    saved = {100: 50.0, 200: 59.0, 300: 130.0, 400: 140.0}
    assert quality.marks_of(saved, [0.5, 1.0, 2.0, 5.0, 10.0]) == [
        {"minutes": 59 / 60, "step": 200},
        {"minutes": 140 / 60, "step": 400},
    ]


@pytest.fixture
def quick(monkeypatch):
    """Without replicates, each of which costs two products of all pixels."""

    def estimate(score, sizes, *arguments):
        value = score(*(np.ones(size, np.int64) for size in sizes))
        return bootstrap.Interval(value, value, value)

    monkeypatch.setattr(image_scores.bootstrap, "resampled_interval", estimate)
    return {"dataset": "digits", "count": 150, "extractor": "pixels"}


def test_one_judge_for_files_runs_and_real_images(quick, tmp_path):
    """Noise is far away; real images are near; those of a run are its generator's."""
    config = configs.from_preset(**workload.overrides(steps=1, width=4))
    training.train(config, tmp_path / "run")
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).uniform(-1, 1, (150, 28, 28, 1)))
    np.save(tmp_path / "same.npy", quality._drawn(tmp_path / "run", 1, 150))
    marks = [
        {"minutes": 0.0, "step": 0},
        {"minutes": 1.0, "step": 5, "pictures": str(tmp_path / "noise.npy")},
        {"minutes": 2.0, "step": 1, "run": str(tmp_path / "run")},
        {"minutes": 2.0, "step": 1, "pictures": str(tmp_path / "same.npy")},
    ]
    real, noise, run, same = quality.score(marks, **quick)
    assert noise["frechet_distance"]["value"] > real["frechet_distance"]["value"]
    assert real["precision"]["value"] > 0.5 > noise["precision"]["value"]
    assert run == same
    assert (noise["minutes"], noise["step"]) == (1.0, 5)


def test_a_peer_draws_at_its_minutes(tmp_path, monkeypatch):
    """Every look at the clock is a minute later."""
    time = iter(range(0, 6000, 60))
    monkeypatch.setattr(quality.Marks.__init__, "__defaults__", (lambda: next(time),))
    images = tmp_path / "images.npy"
    workload.save_images(images)
    about = {"count": 7, "folder": str(tmp_path), "seed": 1, "began": -30.0}
    marks = quality.train_peer("keras-guide", str(images), [1.0, 2.0], **about)
    assert [mark["step"] for mark in marks] == [2, 3]
    for mark in marks:
        pictures = np.load(mark["pictures"])
        assert (pictures.shape, pictures.dtype) == ((7, 28, 28, 1), np.float32)


def scored(minutes, distance):
    values = dict(zip(quality.METRICS, (distance, 0.5, 0.25), strict=True))
    scores = {name: {"value": x, "low": x / 2, "high": 2 * x} for name, x in values.items()}
    return {"minutes": minutes, "step": round(1000 * minutes), **scores}


def test_each_contestant_is_trained_once_and_drawn(monkeypatch, tmp_path, capsys):
    trained = []

    def train_preset(preset, dataset, minutes, seed, folder):
        trained.append((preset, dataset, minutes, seed))
        return [{"minutes": 0.9, "step": 900}, {"minutes": 1.9, "step": 1900}]

    def measure(function, **arguments):
        if function == "benchmarks.quality.train_peer":
            trained.append((arguments["name"], arguments["minutes"], arguments["seed"]))
            return [{"minutes": 1.0, "step": 1}]
        if function == "benchmarks.quality.score":
            return [scored(mark["minutes"], 40.0) for mark in arguments["marks"]]
        return None

    monkeypatch.setattr(quality, "train_preset", train_preset)
    monkeypatch.setattr(processes, "measure", measure)
    output = tmp_path / "quality.json"
    flags = ["--presets=mnist", "--minutes=1,2", f"--output={output}"]
    assert runner.run(quality.Quality, [*flags, "--contestants=mnist"]) == 0
    assert runner.run(quality.Quality, [*flags, "--contestants=mnist,keras-guide"]) == 0
    assert trained == [("mnist", "mnist", [1.0, 2.0], 0), ("keras-guide", [1.0, 2.0], 0)]
    (results,) = json.loads(output.read_text())["rounds"]
    assert list(results) == [quality.REAL, "mnist", "keras-guide"]
    lines = output.with_suffix(".md").read_text().splitlines()
    assert [cell.strip() for cell in lines[4].split("|")[1:-1]] == [
        *("mnist", "0", "1.90", "1,900", "40 [20, 80]", "0.5 [0.25, 1]", "0.25 [0.125, 0.5]")
    ]
    with Image.open(io.BytesIO(output.with_suffix(".png").read_bytes())) as picture:
        assert picture.size == (800, 400)
    assert (
        runner.run(quality.Quality, ["--presets=nothing", f"--output={tmp_path / 'n.json'}"]) == 2
    )
    assert "nothing" in capsys.readouterr().err
