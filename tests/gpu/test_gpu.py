"""What needs a card: `make test-gpu`. Each test is a run of commands, in processes of their own.

Without a GPU every test is skipped, and says so.
"""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import LABELLED, SMALL

pytestmark = pytest.mark.gpu

STEPS = ("--steps=20", "--log_every=10", "--checkpoint_every=10", "--sample_every=10")
PLAYERS = re.compile("generator|discriminator")
ASK = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"


@pytest.fixture(scope="session")
def cards():
    """Number of GPUs; asked in another process, so that this one takes no memory of theirs."""
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True)
    found = int(done.stdout.split()[-1]) if done.returncode == 0 else 0
    if not found:
        pytest.skip("TensorFlow finds no GPU")
    return found


@pytest.fixture
def trained(cards, program, tmp_path):
    """Trains with some flags; returns the folder and what was printed."""

    def run(name, *flags, **options):
        workdir = tmp_path / name
        done = program("train", *SMALL, *STEPS, *flags, f"--workdir={workdir}", **options)
        assert done.returncode == 0, done.stderr
        return workdir, done.stdout

    return run


def variables(workdir):
    from tests.training.test_run import saved

    return {name: value for name, value in saved(workdir).items() if PLAYERS.search(name)}


def gaps(one, other):
    one, other = variables(one), variables(other)
    assert one.keys() == other.keys()
    return np.concatenate([np.abs(one[n] - other[n]).ravel() for n in one if one[n].dtype == "f4"])


def test_the_first_lines_say_what_computes(trained):
    _, printed = trained("run", "--tf32")
    assert re.search(r"devices: \d+ GPU replica.*TF32 on, .*XLA.*memory taken as needed", printed)


def test_xla_changes_rounding_only(trained):
    one, other = (
        trained(each, f"--jit_compile={each}", "--strategy=one_device")[0]
        for each in ("true", "false")
    )
    assert np.median(gaps(one, other)) < 1e-5


def test_a_gpu_trains_as_a_cpu_does(trained):
    """One step: up to the order of sums."""
    one = trained("gpu", "--steps=1")[0]
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    other = trained("cpu", "--steps=1", env=hidden)[0]
    assert np.median(gaps(one, other)) < 1e-5


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_deterministic_runs_are_bit_identical(trained, precision):
    flags = ("--deterministic", f"--mixed_precision={precision}")
    one, other = (trained(each, *flags, "--strategy=one_device")[0] for each in ("one", "other"))
    assert not gaps(one, other).any()


@pytest.mark.parametrize("flags", [SMALL, LABELLED], ids=["normalised", "penalised"])
def test_it_resumes_exactly(trained, program, flags):
    workdir, _ = trained("run", *flags, "--deterministic")
    verified = program("verify_resume", f"--workdir={workdir}")
    assert verified.returncode == 0, verified.stderr


def test_a_run_on_all_cards_is_that_of_one(trained, cards):
    if cards < 2 or 16 % cards:
        pytest.skip(f"needs 2, 4, 8 or 16 GPUs, and there are {cards}")
    one = trained("one", "--strategy=one_device", "--jit_compile=false")[0]
    other, printed = trained("all", "--strategy=mirrored")
    assert "gradients added up by nccl" in printed
    assert np.median(gaps(one, other)) < 1e-5


def test_a_strategy_for_many_trains_on_one_card(trained):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "0"}
    _, printed = trained("mirrored", "--strategy=mirrored", env=environment)
    assert "1 GPU replica (MirroredStrategy)" in printed
    assert "not compiled by XLA (replicas add up" in printed


def test_a_second_process_finds_room_beside_a_first(trained, program):
    workdir, _ = trained("run")
    exported = program("export", f"--workdir={workdir}", f"--export_dir={workdir}/export")
    assert exported.returncode == 0, exported.stderr
    scored = program("evaluate", f"--workdir={workdir}", "--num_samples=500", "--extractor=pixels")
    assert scored.returncode == 0, scored.stderr


def test_no_memory_is_one_line(cards, program, tmp_path):
    flags = ("--batch_size=262144", "--image_size=64", "--width=256", "--preset=digits")
    done = program("train", *flags, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "--batch_size below 262144" in line
