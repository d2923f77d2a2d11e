"""SIGKILL at random moments of training and of export: nothing is lost, nothing is half there.

Every moment must be survived, so the verdict depends neither on when the kills land nor on
how fast the machine is. `tests/faults/test_kills.py` has many of them.
"""

import random

import tensorflow as tf

from gan_keras.exporting import contract
from tests.conftest import SMALL
from tests.forks import ours
from tests.training.test_run import assert_same

# More steps than there is time for: it is at work whenever it is killed.
ENDLESS = ("--log_every=4", "--sample_every=4", "--checkpoint_every=2", "--steps=100000000")


def train_through_kills(forks, folder, flags, kills, seed, devices=1):
    """Kills a run so many times, lets it end, and compares it with one that nothing disturbed.

    One kill in four lands while the graph is built, the others within seconds of the first
    steps, of which every second one is saved. A run of one kill has seed 0, which is no early
    one: something was saved by then.
    """
    chance = random.Random(seed)
    flags = (*flags, f"--workdir={folder / 'killed'}")
    listed = folder / "killed" / "checkpoints" / "checkpoint"
    for _ in range(kills):
        forks.start("train", *flags, *ENDLESS, devices=devices)
        early = chance.random() < 0.25
        assert forks.wait_until(
            lambda early=early: (
                "\ntraining " in forks.out.read_text()
                and (early or ("\nstep " in forks.out.read_text() and listed.exists()))
            )
        ), forks.err.read_text()
        assert forks.wait(chance.uniform(0.0, 2.0)) is None, forks.err.read_text()
        assert forks.kill()
        assert ours(forks.err.read_text()) == []

    saved = tf.train.latest_checkpoint(str(folder / "killed" / "checkpoints"))
    reached = int(saved.rsplit("-", 1)[1]) if saved else 0
    steps = f"--steps={reached + 5}"
    assert forks.run("train", *flags, steps, devices=devices) == 0, forks.err.read_text()
    assert ours(forks.err.read_text()) == []
    left = {path.name for path in (folder / "killed" / "checkpoints").iterdir()}
    assert not [name for name in left if name.endswith(("_temp", ".partial", ".damaged"))]
    whole = (*flags[:-1], f"--workdir={folder / 'whole'}", steps)
    assert forks.run("train", *whole, devices=devices) == 0, forks.err.read_text()
    assert_same(folder / "killed", folder / "whole")
    return reached


def export_through_kills(forks, small_run, folder, kills, seed):
    """Kills exports while they write; what is there afterwards is whole."""
    chance = random.Random(seed)
    flags = (f"--workdir={small_run}", f"--export_dir={folder}")
    while kills:
        forks.start("export", *flags)
        # An export starts to write when it has built the network.
        writes = forks.wait_until(lambda: list(folder.glob(".exporting-*")))
        # One that is over before its time was not killed, and another takes its turn.
        over = forks.wait(chance.uniform(0.0, 1.0)) is not None
        assert not over or forks.status == 0, forks.err.read_text()
        kills -= writes and not over and forks.kill()

    assert forks.run("export", *flags) == 0, forks.err.read_text()
    versions = sorted(folder.iterdir())
    assert all(path.name.isdigit() for path in versions), versions
    for path in versions:
        assert (path / contract.WARMUP_FILE).exists()
        assert (path / contract.MODEL_CARD_FILE).exists()
        seeds = tf.constant([0], tf.int64)
        assert tf.saved_model.load(str(path)).signatures["png"](seed=seeds)


def test_killed_training_ends_with_the_weights_of_an_undisturbed_run(forks, tmp_path):
    assert train_through_kills(forks, tmp_path, SMALL, kills=1, seed=0) > 0


def test_killed_exports_leave_no_half_version(forks, small_run, tmp_path):
    export_through_kills(forks, small_run, tmp_path, kills=1, seed=1)
