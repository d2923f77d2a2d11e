"""Exact resume: of any numbers of steps, and of a user's run; what does not resume is found out."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from gan_keras import data
from gan_keras.checkpoints import save_restore as checkpoints
from gan_keras.cli import verify_resume
from gan_keras.config import config as configs
from gan_keras.training import callbacks
from gan_keras.training.run import build

TINY = {"width": 4, "latent_dim": 4, "batch_size": 4, "ema_decay": 0.9, "instance_noise": 0.1}


class Player:
    """One tiny GAN whose graph is traced once, that plays from any checkpoint."""

    def __init__(self, folder):
        self.config = configs.from_preset("digits", **TINY, instance_noise_steps=50)
        self.gan = build(self.config)
        self.images = data.load(self.config)
        self.saved = checkpoints.manager(self.gan, folder, keep=100)
        self.saved.save(0)

    def restore(self, step):
        """From a checkpoint, after every number in memory was made another one."""
        for variable in self.variables():
            variable.assign(tf.fill(variable.shape, tf.cast(3, variable.dtype)))
        path = self.saved.folder / f"ckpt-{step}"
        self.saved.checkpoint.restore(str(path)).assert_consumed()
        assert self.gan.step == step

    def play(self, until, intervals):
        batches = self.images.batches(4, self.config.seed, start=self.gan.step)
        pace = callbacks.StepsPerCall(until, intervals, lambda: False, adaptive=False)
        left = until - self.gan.step
        # As in a new model: `fit` divides its bound on the calls by what the last one left.
        self.gan.steps_per_execution = 1
        self.gan.fit(batches, steps_per_epoch=left, callbacks=[pace], shuffle=False, verbose=0)

    def variables(self):
        optimizers = self.gan.generator_optimizer, self.gan.discriminator_optimizer
        weights = [v.value for v in self.gan.weights if "steps" not in v.path]
        return [self.gan.steps, *weights, *(v.value for o in optimizers for v in o.variables)]

    def state(self):
        return [variable.numpy() for variable in self.variables()]


@pytest.fixture(scope="module")
def player(tmp_path_factory):
    return Player(tmp_path_factory.mktemp("player"))


steps = st.integers(1, 12)
intervals = st.lists(st.integers(1, 9), min_size=1, max_size=3)


# No deadline, for no verdict may hang on the machine's speed.
@settings(
    max_examples=3,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(1, 1, [32], [1])
@given(steps, steps, intervals, intervals)
def test_n_then_m_are_n_plus_m_whatever_the_calls(player, n, m, one, other):
    player.restore(0)
    player.play(n + m, one)
    whole = player.state()
    player.restore(0)
    player.play(n, other)
    player.saved.save(n)
    player.restore(n)
    player.play(n + m, one)
    assert len(whole) > 60
    for a, b in zip(whole, player.state(), strict=True):
        assert_array_equal(a, b)


def files(folder):
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def test_a_run_that_resumes_exactly(small_run, capsys):
    before = files(small_run)
    assert verify_resume.run([f"--workdir={small_run}", "--steps=3"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("resumes exactly: ")
    assert last.endswith("variables are bit-identical after 1 + 2 steps from step 30")
    assert files(small_run) == before


def test_a_run_that_does_not_is_found_out(small_run, monkeypatch, capsys):
    """As many a trainer does: the weights come back, and the optimizer's memory does not."""
    restore = checkpoints.restore_latest

    def forgetful(saved, **options):
        restore(saved, **options)
        for variable in saved.checkpoint.generator_optimizer.variables:
            if "momentum" in variable.path:
                variable.assign(np.zeros(variable.shape, variable.dtype))

    monkeypatch.setattr("gan_keras.checkpoints.restore_latest", forgetful)
    before = files(small_run)
    assert verify_resume.run([f"--workdir={small_run}", "--steps=4", "--checkpoint=20"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not resume exactly: " in line
    assert "variables differ after 2 + 2 steps from step 20, first discriminator" in line
    difference = float(line.split("largest difference ")[1].split(";")[0])
    assert difference > 0
    assert files(small_run) == before


@pytest.mark.parametrize(
    ("flags", "named"),
    [(["--steps=1"], "--steps=1"), (["--checkpoint=7"], "--checkpoint=7: not kept in"), ([], "")],
)
def test_what_cannot_be_asked(flags, named, small_run, tmp_path, capsys):
    run = small_run if flags else tmp_path
    assert verify_resume.run([f"--workdir={run}", *flags]) == (2 if flags else 1)
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
