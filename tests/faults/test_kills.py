"""Two hundred kills; GAN_KERAS_KILLS asks for another number.

Half of them land while training, a quarter while pictures are prepared, and a quarter while a
version is exported.
"""

import os
import random
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SMALL
from tests.training import test_kills
from tests.training.test_run import assert_same

KILLS = int(os.environ.get("GAN_KERAS_KILLS", "200"))
# Seconds for each kill, but more on a machine that does other things.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600 + 120 * KILLS)]
forks = test_kills.forks
PICTURES = 4000


def test_training(forks, tmp_path):
    kills = KILLS // 2
    reached = test_kills.train_through_kills(forks, tmp_path, SMALL, kills, seed=2)
    print(f"{kills} kills of training, {reached} steps: bit-identical")


def test_exports(forks, small_run, tmp_path):
    test_kills.export_through_kills(forks, small_run, tmp_path, KILLS // 4, seed=3)
    print(f"{KILLS // 4} kills of exports: every version whole")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of many pictures, some of which cannot be read."""
    folder = tmp_path_factory.mktemp("pictures") / "all"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (PICTURES, 24, 24), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{number:05}.png")
    for number in range(0, PICTURES, 500):
        os.truncate(folder / f"{number:05}.png", 40)
    return folder


def test_data_preparation(forks, pictures, tmp_path):
    """The pixels, what describes them, and the run are those that nothing disturbed."""
    chance, kills = random.Random(4), KILLS // 4
    flags = (*SMALL[1:], f"--dataset=folder:{pictures}", "--image_size=16", "--channels=1")
    flags = ("--preset=digits", *flags, "--held_out=0", "--steps=2")

    def train(name):
        """Runs to the end; returns what the run keeps of its pictures."""
        status = forks.run("train", *flags, f"--workdir={tmp_path / name}")
        assert status == 0, forks.err.read_text()
        return {path.name: path.read_bytes() for path in (tmp_path / name / "data").iterdir()}

    whole, run = train("whole"), tmp_path / "killed"
    assert any(name.endswith(".uint8") for name in whole)
    killed = rounds = 0
    while killed < kills:
        # Until the pixels are there, the command is killed and started again; then it may end.
        while killed < kills and not list(run.glob("data/*.uint8")):
            forks.start("train", *flags, f"--workdir={run}")
            forks.wait_until(lambda: list(run.glob("data/*")))
            forks.wait(chance.uniform(0.0, 0.6))
            unprepared = not list(run.glob("data/*.uint8"))
            killed += forks.kill() and unprepared
        assert train("killed") == whole
        assert_same(run, tmp_path / "whole")
        shutil.rmtree(run)
        rounds += 1
    print(f"{killed} kills of data preparation in {rounds} runs: bit-identical")
