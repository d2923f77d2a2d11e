"""Checkpoints: all of the state, to the bit, and nothing of one that was cut short."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

from gan_keras import checkpoints, networks
from gan_keras.errors import UserError
from gan_keras.gan import GAN

REAL = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 1)).astype("float32")


def make(seed=0, **arguments):
    pair = networks.build("dcgan", shape=(8, 8, 1), latent_dim=4, width=4, seed=seed)
    gan = GAN(*pair, **arguments)
    gan.compile(*(keras.optimizers.Adam(1e-3, 0.5) for _ in range(2)))
    return gan


def fit(gan, steps):
    data = tf.data.Dataset.from_tensor_slices(REAL).batch(8).repeat()
    gan.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)


def state(gan):
    optimizers = gan.generator_optimizer, gan.discriminator_optimizer
    variables = gan.get_weights() + [v.numpy() for o in optimizers for v in o.variables]
    return [np.asarray(v) for v in variables]


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_restores_networks_optimizers_and_step_to_the_bit(ema_decay, tmp_path):
    gan, fresh = make(ema_decay=ema_decay), make(seed=1, ema_decay=ema_decay)
    fit(gan, 3)
    checkpoints.manager(gan, tmp_path, keep=1).save(gan.step)
    checkpoints.restore_latest(checkpoints.manager(fresh, tmp_path, keep=1))
    assert fresh.step == 3
    assert len(state(gan)) > 20
    for a, b in zip(state(gan), state(fresh), strict=True):
        assert_array_equal(a, b)


def test_keeps_the_newest(tmp_path):
    gan = make()
    saved = checkpoints.manager(gan, tmp_path, keep=2)
    for step in (1, 2, 3):
        saved.save(step)
    names = sorted(path.name for path in (tmp_path / "checkpoints").glob("*.index"))
    assert names == ["ckpt-2.index", "ckpt-3.index"]


def test_nothing_to_restore_is_a_fresh_start(tmp_path):
    gan = make()
    before = state(gan)
    checkpoints.restore_latest(checkpoints.manager(gan, tmp_path, keep=1))
    for a, b in zip(before, state(gan), strict=True):
        assert_array_equal(a, b)


def test_files_of_a_save_that_was_killed_are_not_taken_for_a_checkpoint(tmp_path):
    gan = make()
    checkpoints.manager(gan, tmp_path, keep=2).save(5)
    folder = tmp_path / "checkpoints"
    (folder / "ckpt-9.data-00000-of-00001").write_bytes(b"half")
    (folder / "ckpt-9_temp").mkdir()
    assert checkpoints.manager(make(), tmp_path, keep=2).latest_checkpoint.endswith("ckpt-5")


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_generator_alone(ema_decay, tmp_path):
    gan, fresh = make(ema_decay=ema_decay), make(seed=1)
    fit(gan, 2)
    checkpoints.manager(gan, tmp_path, keep=1).save(gan.step)
    assert checkpoints.restore_generator(fresh.generator, tmp_path) == 2
    latents = np.ones((2, 4), "float32")
    assert_array_equal(fresh(latents), gan(latents))


def test_a_run_without_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match="no checkpoint there yet"):
        checkpoints.restore_generator(make().generator, tmp_path)
