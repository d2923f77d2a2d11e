"""Two hundred kills; GAN_KERAS_KILLS asks for another number.

Half of them land while training, and a sixth each while pictures are prepared, while a version is
exported, and while a label is moved from one version to another.
"""

import os
import random
import shutil

import numpy as np
import pytest
from PIL import Image

from gan_keras.exporting import model_config
from tests.conftest import SMALL
from tests.training import test_kills
from tests.training.test_run import assert_same

KILLS = int(os.environ.get("GAN_KERAS_KILLS", "200"))
# Seconds for each kill, but more on a machine that does other things.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600 + 120 * KILLS)]
PICTURES = 4000


def test_training(forks, tmp_path):
    kills = KILLS // 2
    reached = test_kills.train_through_kills(forks, tmp_path, SMALL, kills, seed=2)
    print(f"{kills} kills of training, {reached} steps: bit-identical")


def test_exports(forks, small_run, tmp_path):
    test_kills.export_through_kills(forks, small_run, tmp_path, KILLS // 6, seed=3)
    print(f"{KILLS // 6} kills of exports: every version whole")


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
    chance, kills = random.Random(4), KILLS // 6
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


MODELS = """# Kept as it is.
model_config_list { config {
  name: "generator" base_path: "%s" model_platform: "tensorflow"
  model_version_policy { all {} }
  version_labels { key: "stable" value: 1 }
  version_labels { key: "canary" value: 2 }
} }
"""


def test_promotions(forks, tmp_path):
    """The file is the one before the move or the one after it, and the next move succeeds."""
    chance, kills = random.Random(5), KILLS // 6
    for version in ("1", "2"):
        (tmp_path / "exports" / version).mkdir(parents=True)
        (tmp_path / "exports" / version / "saved_model.pb").touch()
    path = tmp_path / "models.config"
    path.write_text(MODELS % (tmp_path / "exports"))
    flags = (
        f"--export_dir={tmp_path / 'exports'}",
        f"--model_config_file={path}",
        "--to=stable",
        "--server=",
    )

    def moves():
        """Text without the record of moves, and the record."""
        lines = path.read_text().splitlines()
        recorded = [line for line in lines if line.startswith("# gan-keras-promote: ")]
        return [line for line in lines if line not in recorded], recorded

    killed = 0
    while killed < kills:
        (before, recorded), old = moves(), path.stat().st_ino
        (model,) = model_config.from_text(path.read_text(), "the file")
        move = ["--rollback"] if model.labels["stable"] == 2 else ["--from=canary", "--force"]
        forks.start("promote", *flags, *move)
        if chance.random() < 0.5:  # While the new file is written, or has just replaced the old.
            forks.wait_until(
                lambda old=old: list(tmp_path.glob(".models.config.*")) or path.stat().st_ino != old
            )
        else:
            forks.wait(chance.uniform(0.0, 0.1))
        killed += forks.kill()
        after, now = moves()
        assert now[: len(recorded)] == recorded
        assert len(now) - len(recorded) == (after != before) == (path.stat().st_ino != old)
        changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert len(changed) == len(now) - len(recorded)
    print(f"{killed} kills of promotions, {len(moves()[1])} of which came after the move")
    assert forks.run("promote", *flags, "--from=canary", "--force") == 0, forks.err.read_text()
