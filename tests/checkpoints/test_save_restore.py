"""Checkpoints: all of the state, to the bit, and nothing of one that was cut short."""

import dataclasses
import errno
import os
import random
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

from gan_keras import networks
from gan_keras.checkpoints import files as checkpoint_files
from gan_keras.checkpoints import save_restore as checkpoints
from gan_keras.config import config as configs
from gan_keras.data.pipeline import untuned
from gan_keras.errors import UsageError, UserError
from gan_keras.game.gan import GAN
from gan_keras.training import run as training
from tests.conftest import limited

REAL = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 1)).astype("float32")


def make(seed=0, **arguments):
    pair = networks.build("dcgan", shape=(8, 8, 1), latent_dim=4, width=4, seed=seed)
    gan = GAN(*pair, **arguments)
    gan.compile(*(keras.optimizers.Adam(1e-3, 0.5) for _ in range(2)))
    return gan


def fit(gan, steps):
    data = tf.data.Dataset.from_tensor_slices(REAL).batch(8).repeat()
    gan.fit(untuned(data), steps_per_epoch=steps, verbose=0, shuffle=False)


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


def simple(folder, keep=3):
    """Checkpoints of one variable, whose values tell the step."""
    checkpoint = tf.train.Checkpoint(values=tf.Variable(tf.zeros([50])))
    return checkpoints.Checkpoints(checkpoint, folder, keep)


def save(saved, *steps):
    for step in steps:
        saved.checkpoint.values.assign(tf.fill([50], float(step)))
        saved.save(step)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_state_file_is_tensorflows(tmp_path):
    save(simple(tmp_path), 1, 2, 3, 4)
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "ckpt-4")
    assert sorted(contents(tmp_path)) == [
        "checkpoint",
        *(
            f"ckpt-{n}{end}"
            for n in (2, 3, 4)
            for end in (".data-00000-of-00001", ".index", ".sha256")
        ),
    ]


def test_checkpoints_of_tensorflows_manager_go_on(tmp_path):
    """As runs have them that are older than the digests; what is new is sealed."""
    old, new = simple(tmp_path), simple(tmp_path)
    old.checkpoint.values.assign(tf.fill([50], 7.0))
    manager = tf.train.CheckpointManager(old.checkpoint, str(tmp_path), max_to_keep=3)
    manager.save(7)
    checkpoints.restore_latest(new)
    assert_array_equal(new.checkpoint.values, np.full(50, 7.0))
    save(new, 8, 9, 10)
    assert not list(tmp_path.glob("ckpt-7.*"))


def spoil(folder, chance):
    """Damages a file or some, of a checkpoint or the list of them, in one of seven ways."""
    for path in chance.sample(sorted(folder.iterdir()), chance.choice([1, 1, 2, 3, 10])):
        data = path.read_bytes()
        place = chance.randrange(len(data))
        flipped = bytes([data[place] ^ 1 << chance.randrange(8)])
        swapped = path.name.replace("3", "2") if "3" in path.name else path.name.replace("2", "3")
        damaged = {
            "truncated": data[:place],
            "flipped": data[:place] + flipped + data[place + 1 :],
            "longer": data + b"more",
            "empty": b"",
            "garbage": chance.randbytes(len(data)),
            "another's": (folder / swapped).read_bytes() if (folder / swapped).exists() else b"",
            "missing": None,
        }[chance.choice(KINDS)]
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)


def _refusal(saved):
    try:
        checkpoints.restore_latest(saved)
    except UserError as error:
        return str(error)
    return None


KINDS = ("truncated", "flipped", "longer", "empty", "garbage", "another's", "missing")
STEPS = (1, 2, 3)


def survive_damage(folder, times, seed, caplog):
    """Spoils checkpoints again and again; returns how often another than the newest was used."""
    chance = random.Random(seed)
    original = folder / "original"
    save(simple(original), *STEPS)
    pristine = contents(original)
    older = lost = 0
    for number in range(times):
        copy = folder / str(number)
        shutil.copytree(original, copy)
        spoil(copy, chance)
        before = contents(copy)
        whole = [
            step
            for step in STEPS
            if all(before.get(n) == pristine[n] for n in pristine if n.startswith(f"ckpt-{step}."))
        ]
        # Without its seal, a whole checkpoint under another's name cannot be told from its own.
        if "ckpt-3.sha256" not in before and all(
            before.get(f"ckpt-3{end}") == pristine[f"ckpt-2{end}"]
            for end in (".data-00000-of-00001", ".index")
        ):
            continue
        saved = simple(copy)
        saved.checkpoint.values.assign(tf.fill([50], -1.0))
        caplog.clear()
        refusal = _refusal(saved)
        # Known are those that the list or a seal speaks of; others may be saves cut short.
        known = b"ckpt-3" in before.get("checkpoint", b"") or "ckpt-3.sha256" in before
        if refusal:
            assert not whole
            assert "no checkpoint there is whole (" in refusal
            assert "ckpt-3" in refusal or not known
            assert "\n" not in refusal
            assert contents(copy) == before
            lost += 1
            continue
        used = saved.checkpoint.values.numpy()
        # Without its seal, or where only that is corrupt as well, a checkpoint may be whole too.
        assert used[0] in STEPS
        assert used[0] >= max(whole, default=1)
        assert_array_equal(used, np.full(50, used[0]))
        told = caplog.text
        if used[0] < 3:
            assert "ckpt-3" in told or not known
            older += 1
        assert len(caplog.messages) <= 1
        save(saved, 3, 4, 5, 6)
        after = contents(copy).values()
        spoilt = {name for name in before if before[name] != pristine[name]}
        for name in spoilt - {"checkpoint"}:
            if used[0] < 3 == int(name[5]) and known:
                assert before[name] in after, name
        shutil.rmtree(copy)
    return older, lost


def test_whatever_is_damaged_the_newest_whole_one_is_used_and_nothing_overwritten(tmp_path, caplog):
    older, lost = survive_damage(tmp_path, 40, 0, caplog)
    assert older > 5
    assert lost > 0


def test_the_generator_of_the_newest_whole_one(tmp_path, caplog):
    gan, fresh = make(), make(seed=1)
    for step in (1, 2):
        gan.steps.assign(step)
        checkpoints.manager(gan, tmp_path, keep=2).save(step)
    folder = tmp_path / "checkpoints"
    (folder / "ckpt-2.index").write_bytes(b"")
    before = contents(folder)
    assert checkpoints.restore_generator(fresh.generator, tmp_path) == 1
    (line,) = caplog.messages
    assert line == f"{folder}: ckpt-2.index is corrupt (left there); using step 1"
    latents = np.ones((2, 4), "float32")
    assert_array_equal(fresh(latents), gan(latents))
    with pytest.raises(UserError, match=r"--checkpoint=2: ckpt-2\.index is corrupt, in "):
        checkpoints.restore_generator(fresh.generator, tmp_path, 2)
    with pytest.raises(UsageError, match=r"--checkpoint=3: not kept in .*; choose from 1, 2"):
        checkpoints.restore_generator(fresh.generator, tmp_path, 3)
    assert contents(folder) == before


@pytest.mark.parametrize("size", [0, 40, 100, 150])
def test_a_full_disk_leaves_the_checkpoints_before(size, tmp_path):
    """The variable alone has 200 bytes."""
    saved = simple(tmp_path)
    save(saved, 1)
    before = contents(tmp_path)
    with limited(size), pytest.raises(UserError) as refusal:
        save(saved, 2)
    assert str(refusal.value) == (
        f"{tmp_path}: the checkpoint of step 2 cannot be saved: File too large; make room "
        "there; the same command resumes from ckpt-1"
    )
    assert contents(tmp_path) == before
    save(simple(tmp_path), 2)
    assert tf.train.latest_checkpoint(str(tmp_path)).endswith("ckpt-2")


@pytest.mark.parametrize("full", ["seal", "list_saved"])
def test_a_disk_that_is_full_after_the_data(full, tmp_path, monkeypatch):
    """What is not in the list yet is whole, and may be used."""
    saved = simple(tmp_path)
    save(saved, 1)

    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_files, full, fail)
        with pytest.raises(UserError, match="No space left on device; make room there; the same"):
            save(saved, 2)
    assert tf.train.latest_checkpoint(str(tmp_path)).endswith("ckpt-1")
    again = simple(tmp_path)
    checkpoints.restore_latest(again)
    assert_array_equal(again.checkpoint.values, np.full(50, 2.0))
    save(again, 3)
    assert tf.train.latest_checkpoint(str(tmp_path)).endswith("ckpt-3")


def test_removal_by_training_that_goes_on_is_no_damage(small_run, tmp_path, monkeypatch):
    """With one checkpoint kept, what was listed may be gone when it is read."""
    folder = tmp_path / "checkpoints"
    shutil.copytree(small_run / "checkpoints", folder)
    steps = checkpoint_files.survey(folder)
    newest = steps[0]
    for step in steps[1:]:
        checkpoint_files.remove(folder, step)
    whole, damage = [], checkpoint_files.damage

    def late(folder, step):
        if not whole:  # Just now the next one was saved, and this one removed.
            whole.append(newest + 1)
            for path in checkpoint_files.paths(folder, step):
                text = path.name.replace(f"-{step}.", f"-{newest + 1}.")
                path.rename(folder / text)
            seal = folder / f"ckpt-{newest + 1}.sha256"
            seal.write_text(seal.read_text().replace(f"-{step}.", f"-{newest + 1}."))
        return damage(folder, step)

    monkeypatch.setattr(checkpoint_files, "damage", late)
    assert checkpoints.locate(tmp_path) == newest + 1


def test_a_checkpoint_of_another_network_is_one_line(small_run, tmp_path, program):
    """Whole by its digests, and neither restored in part nor a trace."""
    workdir = tmp_path / "run"
    shutil.copytree(small_run, workdir)
    config = dataclasses.replace(configs.load(workdir), width=16)
    configs.save(config, workdir)
    gan = training.build(config)
    for restore in (
        lambda: checkpoints.restore_latest(checkpoints.manager(gan, workdir, 3)),
        lambda: checkpoints.restore_generator(gan.generator, workdir),
        lambda: checkpoints.restore_generator(
            keras.Sequential([keras.Input([2]), keras.layers.Dense(3)]), workdir
        ),
    ):
        with pytest.raises(UserError, match="is not one of this configuration") as caught:
            restore()
        assert "\n" not in str(caught.value)
    # Of what found no place, TensorFlow would warn when the process ends.
    configs.save(dataclasses.replace(config, network="mlp"), workdir)
    told = program("train", f"--workdir={workdir}", "--steps=100")
    assert told.returncode == 1
    (line,) = told.stderr.splitlines()
    assert "is not one of this configuration" in line
