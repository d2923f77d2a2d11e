"""Evaluation of small runs: each card against the metric's own function, and the commands."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from gan_keras import data
from gan_keras.checkpoints import save_restore as checkpoints
from gan_keras.cli import evaluate, train
from gan_keras.config import config as configs
from gan_keras.drawing.images import to_uint8
from gan_keras.errors import UsageError
from gan_keras.evaluation import (
    classifier,
    classifier_files,
    classifier_training,
    image_scores,
    score_cards,
    score_tables,
)
from gan_keras.evaluation import judge as evaluation
from gan_keras.game.priors import PRIORS
from gan_keras.metrics import frechet, kid, modes, neighbours, parzen
from gan_keras.training import run as training

COUNT = 200


@pytest.fixture(scope="module", autouse=True)
def fewer_replicates():
    """Of the bootstrap: as few as it takes for an interval of 95 %."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_scores, "REPLICATES", 40)
        yield


@pytest.fixture(scope="module")
def scored(small_run):
    """The cards of a run on the digits, by the metric, and those of noise."""
    found = evaluation.evaluate(small_run, num_samples=COUNT, extractor="pixels", seed=3)
    return tuple(
        {card.metric: card for card in found if card.subject == subject}
        for subject in (score_cards.GENERATOR, score_cards.NOISE)
    )


@pytest.fixture(scope="module")
def sets(small_run):
    """Real and generated images of that evaluation, made by hand."""
    config = configs.load(small_run)
    gan = training.build(config)
    checkpoints.restore_latest(checkpoints.manager(gan, small_run, keep=3))
    latents = PRIORS[config.prior]((COUNT, config.latent_dim), seed=[3, -2])
    generated = to_uint8(gan(latents).numpy())
    return data.load(config).sample(COUNT, seed=3), generated


def test_every_score_is_that_of_its_function(scored, sets):
    real, generated = (images.reshape(COUNT, -1) / np.float32(255) for images in sets)
    ours, _ = scored
    assert ours["frechet_distance"].value == pytest.approx(
        frechet.frechet_distance(real, generated)
    )
    blocks = kid.block_estimates(real, generated, seed=3, block=COUNT // 10)
    assert ours["kernel_distance"].value == pytest.approx(blocks.mean())
    precise, recalled = neighbours.precision_and_recall(real, generated, k=3)
    assert (ours["precision"].value, ours["recall"].value) == (precise.mean(), recalled.mean())
    dense, covered = neighbours.density_and_coverage(real, generated, k=5)
    assert ours["density"].value == pytest.approx(dense.mean())
    assert ours["coverage"].value == covered.mean()


def test_parzen_takes_sigma_from_images_kept_for_it(scored, sets):
    real, generated = (images.reshape(COUNT, -1) / 255.0 for images in sets)
    whole = data.load(configs.from_preset("digits"))
    last = whole.only(np.arange(whole.count)[-(whole.count // 6) :])
    validation = last.sample(1000, seed=3).reshape(-1, 256) / 255.0
    assert len(validation) == 1797 // 6
    choice = parzen.choose_sigma(generated, validation)
    nats = parzen.log_likelihood(generated, real, choice.sigma)
    card = scored[0]["parzen"]
    assert card.value == pytest.approx(nats.mean())
    assert card.details["sigma"] == pytest.approx(choice.sigma)
    assert card.details["standard_error"] == pytest.approx(nats.std() / np.sqrt(COUNT))
    assert card.details["validation_images_were_trained_on"]


def pictures(folder, value=0):
    """A Config of 120 pictures in two class folders, which hold out images from all over."""
    for number in range(120):
        path = folder / "ab"[number // 60] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), number + value, np.uint8)).save(path)
    return configs.from_preset("pictures", dataset=f"folder:{folder}", image_size=4, channels=1)


@pytest.mark.parametrize(
    ("held_out", "trained_on"), [(0, True), (20, False), (60, False), (31, True)]
)
def test_a_card_says_whether_validation_images_were_trained_on(tmp_path, held_out, trained_on):
    config = dataclasses.replace(pictures(tmp_path), held_out=held_out)
    scores = image_scores.ImageScores(config, ["parzen"], 100, "pixels", None, 0)
    validation = {image.tobytes() for image in scores.validation.sample(1000, 0)}
    images = data.load(config)
    seen = {image.tobytes() for image in images.sample(images.count, 0)}
    assert bool(validation & seen) == scores.were_trained_on == trained_on


def test_other_pictures_in_a_folder_are_another_protocol(tmp_path):
    """And no reference of before is used again; a copy of the pictures is the same."""

    def judged(config):
        return evaluation.Judge(config, ["precision"], 100, extractor="pixels")

    config = pictures(tmp_path / "one")
    before = judged(config).references(tmp_path)
    for card in before:
        score_cards.save(card, tmp_path)
    assert judged(config).references(tmp_path) == before
    copied = judged(pictures(tmp_path / "two")).scores.protocol("precision", 100)
    assert copied["images_sha256"] == before[0].protocol["images_sha256"]
    after = judged(pictures(tmp_path / "one", value=1)).references(tmp_path)
    assert after[0].protocol["images_sha256"] != before[0].protocol["images_sha256"]
    with pytest.raises(UsageError, match="images_sha256"):
        score_tables.check_comparable([*before, *after])


def test_a_card_says_how_it_was_made(scored, small_run):
    card = scored[0]["precision"]
    assert card.protocol == {
        "dataset": "digits",
        "shape": [16, 16, 1],
        "num_generated": COUNT,
        "parameters": {"k": 3},
        "split": "train",
        "num_real": COUNT,
        "extractor": {"name": "pixels", "sha256": None},
    }
    assert (card.run, card.step, card.preset) == (small_run.name, 30, "digits")
    assert (card.seed, card.training_seed) == (3, 0)
    assert card.interval["level"] == 0.95
    for card in (*scored[0].values(), *scored[1].values()):
        assert card.interval["low"] <= card.value <= card.interval["high"]
        assert card.wall_seconds > 0
        assert score_cards.load(small_run / "scores" / card.file) == card


def test_noise_is_a_floor(scored):
    """Noise is far from digits in every feature: a closed case, not a matter of luck."""
    _, noise = scored
    assert noise["precision"].value == noise["recall"].value == noise["coverage"].value == 0
    assert noise["precision"].run is None
    # Pixels of digits are 0 or bright in places; noise has a mean of 1/2 and a variance of 1/12.
    assert noise["frechet_distance"].value > 10


def test_again_is_the_same_and_floors_are_kept(scored, small_run, capsys):
    again = evaluation.evaluate(small_run, num_samples=COUNT, extractor="pixels", seed=3)
    assert "uniform noise" not in capsys.readouterr().out
    for card in again:
        one = scored[0 if card.run else 1][card.metric]
        assert dataclasses.replace(card, wall_seconds=one.wall_seconds) == one


def test_an_older_checkpoint(small_run, tmp_path):
    (card,) = evaluation.evaluate(
        small_run, ["precision"], COUNT, step=10, extractor="pixels", references=False
    )
    assert card.step == 10
    (small_run / "scores" / card.file).unlink()


def test_temperature_multiplies_the_latents(small_run, tmp_path):
    gan = training.build(configs.load(small_run))
    latents = PRIORS["normal"]((600, gan.latent_dim), seed=[3, -2])
    made = evaluation.generate(gan.generator, "normal", 600, seed=3, temperature=0.5)
    assert_allclose(made, gan(0.5 * latents), atol=1e-6)


def test_evaluation_while_training(tmp_path, small_run):
    """Cards at every interval, equal to those made afterwards from the checkpoint."""
    workdir = tmp_path / "ring"
    flags = ("--preset=ring", "--width=8", "--steps=20", f"--workdir={workdir}")
    assert train.run([*flags, "--evaluate_every=10", "--checkpoint_every=10"]) == 0
    cards = [score_cards.load(path) for path in (workdir / "scores").iterdir()]
    assert sorted((card.step, card.metric) for card in cards) == [
        (step, metric) for step in (10, 20) for metric in ("high_quality", "jsd", "modes_covered")
    ]
    (during,) = (card for card in cards if (card.step, card.metric) == (10, "high_quality"))
    (after,) = evaluation.evaluate(workdir, ["high_quality"], 2000, step=10)
    assert dataclasses.replace(after, wall_seconds=during.wall_seconds) == during


def test_modes_of_a_mixture_that_is_met_exactly():
    """A generator that is the density: 8 modes, and P(chi^2_2 < 9) of the samples."""
    config = configs.from_preset("ring")
    points = data.load(config)
    judge = evaluation.Judge(config, num_samples=5000)
    samples = points.sample(5000, seed=1) / points.scale
    about = {"subject": "x", "run": "r", "step": 1, "preset": None, "training_seed": 0}
    found = judge._cards(judge.scores.samples(samples), None, **about)
    jsd, covered, good = found
    assert jsd.value < 0.02
    assert covered.value == covered.interval["low"] == covered.interval["high"] == 8
    assert sum(covered.details["high_quality_samples_of_each"]) == round(5000 * good.value)
    # 1 - exp(-9/2) = 0.98889; five standard deviations of 5,000 draws are 0.0074.
    assert good.value == pytest.approx(1 - np.exp(-4.5), abs=0.0074)
    centred = samples * points.scale
    assert good.value == modes.high_quality(centred, points.density.centres, 0.04).mean()


@pytest.mark.parametrize(
    ("flags", "code", "named"),
    [
        ((), 2, "--workdir: required"),
        (("--workdir=nowhere",), 1, "nowhere: no config.json"),
        (("--workdir={run}", "--metrics=beauty"), 2, "--metrics=beauty: choose from frechet"),
        (("--workdir={run}", "--metrics="), 2, "--metrics=: choose from frechet"),
        (("--workdir={run}", "--extractor=eyes"), 2, "--extractor=eyes: choose from"),
        (("--workdir={run}", "--checkpoint=11"), 2, "--checkpoint=11: not kept"),
        (("--workdir={run}", f"--checkpoint={'9' * 5000}"), 2, "9: give a training step, or best"),
        (("--workdir={run}", "--classifier=nowhere"), 2, "--classifier=nowhere: file not found"),
        (("--workdir={run}", f"--classifier={'a' * 300}"), 2, "a: file not found"),
        (("--workdir={run}", "--extractor=pixels", "--num_samples=50"), 2, "--num_samples=50"),
        (("--workdir={run}", f"--num_samples={10**18}"), 2, "--num_samples=1000000000000000000"),
    ],
)
def test_wrong_input_is_one_line(flags, code, named, small_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    before = sorted((small_run / "scores").glob("*"))
    assert evaluate.run([flag.format(run=small_run) for flag in flags]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
    assert sorted((small_run / "scores").glob("*")) == before


def test_references_that_fail_cost_no_score_of_the_generator(small_run, tmp_path, monkeypatch):
    shutil.copytree(small_run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "scores", ignore_errors=True)

    def failing(self, folder):
        raise MemoryError

    monkeypatch.setattr(evaluation.Judge, "references", failing)
    with pytest.raises(MemoryError):
        evaluation.evaluate(tmp_path / "run", ["precision"], COUNT, extractor="pixels")
    (card,) = score_cards.find(tmp_path / "run")
    assert (card.metric, card.subject) == ("precision", score_cards.GENERATOR)


def test_the_command_prints_a_table_and_the_files(small_run, capsys):
    flags = ("--metrics=precision,parzen", f"--num_samples={COUNT}", "--extractor=pixels")
    assert evaluate.run([f"--workdir={small_run}", *flags]) == 0
    output = capsys.readouterr().out
    assert "small, step 30" in output
    assert "uniform noise" in output
    assert "intervals: 95 %, of sampling alone" in output
    assert "real images: digits has no test split" in output
    assert f"wrote 4 cards to {small_run}/scores" in output
    # Other tests may have left another, by another seed.
    paths = list((small_run / "scores").glob(f"step-000030-parzen-pixels-{COUNT}-*.json"))
    assert paths
    assert {json.loads(path.read_text())["unit"] for path in paths} == {"nats"}


def test_names_of_the_literature_and_one_card(small_run, capsys):
    flags = ("--metrics=KID", f"--num_samples={COUNT}", "--extractor=pixels", "--noreferences")
    assert evaluate.run([f"--workdir={small_run}", *flags]) == 0
    output = capsys.readouterr().out
    assert "kernel distance (pixels) ↓" in output
    assert "computing kernel distance" in output
    assert f"wrote 1 card to {small_run}/scores" in output


def test_another_number_of_samples_replaces_nothing(small_run):
    folder = small_run / "scores"
    before = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    (card,) = evaluation.evaluate(
        small_run, ["precision"], COUNT - 50, extractor="pixels", references=False
    )
    for name, content in before.items():
        assert (folder / name).read_bytes() == content
    assert card.file not in before
    (folder / card.file).unlink()


def test_a_classifier_is_made_when_it_is_first_needed(small_run, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(classifier_training, "LEAST_IMAGES", 1)
    monkeypatch.setattr(classifier_training, "LEAST_EPOCHS", 1)
    caplog.set_level("INFO")
    made = classifier_files.default_path("digits", 16, 1)
    for count in (1, 0):
        (card,) = evaluation.evaluate(small_run, ["precision"], COUNT, references=False)
        assert card.protocol["extractor"]["sha256"] == classifier.load(made).sha256
        assert caplog.text.count("digits has no classifier yet") == count
        caplog.clear()
        (small_run / "scores" / card.file).unlink()
