"""Many devices for long: more of them, more steps, and workers that are killed.

The short forms are in tests/test_training.py and tests/test_cluster.py.
"""

import threading

import numpy as np
import pytest
import tensorflow as tf

from tests import workers
from tests.conftest import SMALL
from tests.training.test_run import assert_close, assert_same, saved

pytestmark = pytest.mark.faults

MLP = ("--network=mlp",)
# All that the chief does beside the step happens several times.
BUSY = ("--log_every=7", "--sample_every=5", "--checkpoint_every=10")
# TensorFlow's own heartbeats are given up after ten seconds; the rest is a slow machine's.
BOUND_SECONDS = 120


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("network", [(), MLP], ids=["dcgan", "mlp"])
def test_n_devices_do_what_one_does(count, network, tmp_path, program):
    flags = (*SMALL, *network, "--steps=20")
    one = program("train", *flags, f"--workdir={tmp_path / 'one'}")
    assert one.returncode == 0, one.stderr
    many = program("train", *flags, f"--workdir={tmp_path / 'many'}", f"--virtual_devices={count}")
    assert many.returncode == 0, many.stderr
    assert f"devices: {count} CPU replicas" in many.stdout
    if network == MLP:
        assert_weights_close(tmp_path / "one", tmp_path / "many")
    else:
        assert_close(tmp_path / "one", tmp_path / "many")


@pytest.mark.parametrize("count", [2, 4])
def test_a_batch_of_one_for_each(count, tmp_path, program):
    """Normalisation has the statistics of the whole batch: of one example there are none."""
    flags = (*SMALL, f"--batch_size={count}", "--steps=20")
    one = program("train", *flags, f"--workdir={tmp_path / 'one'}")
    assert one.returncode == 0, one.stderr
    many = program("train", *flags, f"--workdir={tmp_path / 'many'}", f"--virtual_devices={count}")
    assert many.returncode == 0, many.stderr
    assert f"1 of {count} examples each" in many.stdout
    assert_close(tmp_path / "one", tmp_path / "many")


def test_two_workers_of_two_devices_train_as_one(tmp_path, program):
    """Each reads its own half of the batch, and each device half of that."""
    flags = (*SMALL, "--discriminator_steps=2", "--steps=20", *BUSY)
    folder = f"--workdir={tmp_path / 'four'}"
    with workers.cluster(2, *flags, folder, script=workers.SCRIPT_OF_TWO) as processes:
        printed = workers.finish(processes)
    assert all("devices: 4 CPU replicas" in out for out in printed)
    one = program("train", *flags, f"--workdir={tmp_path / 'one'}")
    assert one.returncode == 0, one.stderr
    assert_close(tmp_path / "one", tmp_path / "four")


def assert_weights_close(first, second):
    """As `assert_close`, whatever the network."""
    one, other = saved(first), saved(second)
    names = [name for name in one if "_trainable_variables/" in name]
    gaps = np.concatenate([np.abs(one[name] - other[name]).ravel() for name in names])
    assert gaps.max() <= 2 * 20 * 2e-4
    assert np.median(gaps) < 1e-6


@pytest.mark.parametrize("ops", ["reduction_to_one", "hierarchical_copy"])
def test_how_gradients_are_added_up_changes_rounding_only(ops, tmp_path, program):
    flags = (*SMALL, "--steps=20", "--strategy=mirrored", "--virtual_devices=2")
    auto = program("train", *flags, f"--workdir={tmp_path / 'auto'}")
    assert auto.returncode == 0, auto.stderr
    other = program("train", *flags, f"--workdir={tmp_path / 'other'}", f"--cross_device_ops={ops}")
    assert other.returncode == 0, other.stderr
    assert f"gradients added up by {ops}" in other.stdout
    assert_close(tmp_path / "auto", tmp_path / "other")


def test_three_workers_train_as_one(tmp_path, program):
    flags = (*SMALL, "--batch_size=24", "--steps=20", *BUSY, "--evaluate_every=20")
    with workers.cluster(3, *flags, f"--workdir={tmp_path / 'three'}") as processes:
        printed = workers.finish(processes)
    assert all("devices: 3 CPU replicas" in out for out in printed)
    assert ["step 20/20" in out for out in printed] == [True, False, False]
    one = program("train", *flags, f"--workdir={tmp_path / 'one'}")
    assert one.returncode == 0, one.stderr
    # A mean over 24 is rounded in each step, unlike one over 16: a tenth of an update.
    assert_close(tmp_path / "one", tmp_path / "three", typical=2e-5)


@pytest.mark.parametrize(("count", "victim"), [(2, 0), (2, 1), (3, 2)])
def test_a_killed_worker_stops_all_and_nothing_is_lost(count, victim, tmp_path):
    flags = (*SMALL, f"--batch_size={8 * count}", *BUSY)
    with workers.cluster(
        count, *flags, "--steps=100000000", f"--workdir={tmp_path / 'killed'}"
    ) as processes:
        for line in processes[0].stdout:
            if line.startswith("step ") and (tmp_path / "killed" / "checkpoints").exists():
                break
        else:
            raise AssertionError(processes[0].stderr.read())
        drain = threading.Thread(target=processes[0].stdout.read)
        drain.start()  # A full pipe would stop it too.
        processes[victim].kill()
        for rank, process in enumerate(processes):
            if rank == victim:
                continue
            assert process.wait(BOUND_SECONDS) == 1
            lines = process.stderr.read().splitlines()
            assert len(lines) == 1, lines
            assert "was lost, and this worker stops" in lines[0]
        drain.join()

    newest = tf.train.latest_checkpoint(str(tmp_path / "killed" / "checkpoints"))
    reached = int(newest.rsplit("-", 1)[1])
    ends = f"--steps={reached + 15}"
    with workers.cluster(count, *flags, ends, f"--workdir={tmp_path / 'killed'}") as processes:
        (first, *_) = workers.finish(processes)
    assert f"resumes from step {reached:,}" in first
    with workers.cluster(count, *flags, ends, f"--workdir={tmp_path / 'whole'}") as processes:
        workers.finish(processes)
    assert_same(tmp_path / "killed", tmp_path / "whole")
