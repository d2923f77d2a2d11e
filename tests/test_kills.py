"""SIGKILL at random moments of training and of export: nothing is lost, nothing is half there.

Every moment must be survived, so the verdict depends neither on when the kills land nor on
how fast the machine is. GAN_KERAS_KILLS sets how many there are of each kind.
"""

import os
import random
import subprocess
import sys

import tensorflow as tf

from gan_keras import contract
from tests.conftest import SMALL
from tests.test_training import SCRIPT, assert_same

KILLS = int(os.environ.get("GAN_KERAS_KILLS", "3"))


def test_killed_training_ends_with_the_weights_of_an_undisturbed_run(tmp_path, program):
    chance = random.Random(0)
    flags = (*SMALL, f"--workdir={tmp_path / 'killed'}")
    often = ("--log_every=4", "--sample_every=4", "--checkpoint_every=2")
    for _ in range(KILLS):
        process = subprocess.Popen(
            # More steps than there is time for: it is at work whenever it is killed.
            [sys.executable, "-c", SCRIPT, *flags, *often, "--steps=100000000"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("training "):
                break
        else:
            raise AssertionError("".join(lines))
        assert killed(process, chance.uniform(0.0, 4.0))
        process.stdout.close()

    saved = tf.train.latest_checkpoint(str(tmp_path / "killed" / "checkpoints"))
    reached = int(saved.rsplit("-", 1)[1]) if saved else 0
    last = program("train", *flags, f"--steps={reached + 5}")
    assert last.returncode == 0, last.stderr
    whole = program("train", *SMALL, f"--workdir={tmp_path / 'whole'}", f"--steps={reached + 5}")
    assert whole.returncode == 0, whole.stderr
    assert_same(tmp_path / "killed", tmp_path / "whole")


def killed(process, seconds):
    """Kills a process after so many seconds; tells whether it was still at work."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def test_killed_exports_leave_no_half_version(small_run, tmp_path, program):
    chance = random.Random(1)
    code = SCRIPT.replace("cli.train", "cli.export")
    flags = (f"--workdir={small_run}", f"--export_dir={tmp_path}")
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", code, *flags], stdout=subprocess.DEVNULL)
        # An export starts to write when it has imported TensorFlow and built the network.
        while process.poll() is None and not list(tmp_path.glob(".exporting-*")):
            pass
        killed(process, chance.uniform(0.0, 1.0))

    last = program("export", *flags)
    assert last.returncode == 0, last.stderr
    versions = sorted(tmp_path.iterdir())
    assert all(path.name.isdigit() for path in versions), versions
    for path in versions:
        assert (path / contract.WARMUP_FILE).exists()
        assert (path / contract.MODEL_CARD_FILE).exists()
        seeds = tf.constant([0], tf.int64)
        assert tf.saved_model.load(str(path)).signatures["png"](seed=seeds)
