"""Runs with labels: resumed exactly, on two devices as on one, and what they leave."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gan_keras import checkpoints, networks, training
from gan_keras import config as configs
from gan_keras.cli import train
from gan_keras.evaluation.judge import generate
from tests.conftest import LABELLED

# All that is beside the labels: penalties, a cosine and an average are the preset's.
BESIDE = ("--generator_loss=relativistic", "--augment=color,translation,cutout", "--flip")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder of a run of 20 steps with labels, and everything that can stand beside them."""
    workdir = tmp_path_factory.mktemp("run") / "labelled"
    flags = (*BESIDE, "--steps=20", "--checkpoint_every=10", "--sample_every=20")
    assert train.run([*LABELLED, *flags, f"--workdir={workdir}"]) == 0
    return workdir


def test_the_run_says_which_classes_it_draws(run):
    assert json.loads((run / "classes.json").read_text())["names"] == list("0123456789")


def test_a_class_without_a_picture_is_refused_at_the_start(tmp_path, capsys):
    for name in ("a", "b", "c"):
        path = tmp_path / "pictures" / name / "0.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(path)
    (tmp_path / "pictures" / "b" / "0.png").write_text("broken")
    dataset = f"--dataset=folder:{tmp_path / 'pictures'}"
    flags = ("--conditional", dataset, "--image_size=16", "--width=4", "--steps=1")
    assert train.run(["--preset=pictures", *flags, f"--workdir={tmp_path / 'run'}"]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert f"{dataset}: in the folder of class b is no picture to train on; add some" in told
    assert not (tmp_path / "run" / "config.json").exists()


def test_its_grid_has_a_row_for_each_class(run):
    with Image.open(run / "samples" / "step-000020.png") as picture:
        # Cells of 16 pixels, three times as large, with gaps of 2 between.
        assert picture.height == 10 * 48 + 9 * 2


def test_it_resumes_to_the_bit(run):
    verdict = training.verify(run, steps=10, checkpoint=10)
    assert verdict.first_step == 10
    assert verdict.compared > 40
    assert verdict.differences == {}


def test_the_length_of_its_cosine_stays(run, capsys):
    assert train.run([*LABELLED, *BESIDE, "--steps=30", f"--workdir={run}"]) == 2
    assert "steps 20 -> 30, by which the rates of its cosine fall" in capsys.readouterr().err
    assert train.run([*LABELLED, *BESIDE, "--steps=20", f"--workdir={run}"]) == 0
    assert "have fallen to 0, and more --steps need another" in capsys.readouterr().out


def test_its_generator_is_given_labels_to_be_judged(run):
    config = configs.load(run)

    generator = networks.generator(config, len(configs.load_classes(run)))
    assert checkpoints.restore_generator(generator, run) == 20
    pictures = generate(generator, config.prior, 9, seed=3)
    assert pictures.shape == (9, 16, 16, 1)
    np.testing.assert_array_equal(pictures, generate(generator, config.prior, 9, seed=3))


def test_two_devices_do_what_one_does(run, tmp_path, forks):
    """As of runs without labels: Adam amplifies rounding, up to its rate where nothing else is."""
    flags = (*LABELLED, *BESIDE, "--steps=20", "--virtual_devices=2", f"--workdir={tmp_path}")
    assert forks.run("train", *flags, devices=2) == 0, forks.err.read_text()
    one, two = (tf.train.load_checkpoint(str(each / "checkpoints")) for each in (run, tmp_path))
    rate = configs.load(run).learning_rate
    distances = np.concatenate(
        [
            np.ravel(np.abs(one.get_tensor(name) - two.get_tensor(name)))
            for name in one.get_variable_to_shape_map()
            if name.startswith(("generator/", "discriminator/"))
            and one.get_tensor(name).dtype == np.float32
        ]
    )
    assert distances.max() < 2 * 20 * rate
    assert np.quantile(distances, 0.9) < rate / 10
