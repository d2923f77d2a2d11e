"""Runs: stopped and resumed to the bit, refused when changed, held against a second one."""

import dataclasses
import fcntl
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gan_keras.cli import train
from gan_keras.config import config as configs
from gan_keras.game import augmentation
from tests import workers
from tests.conftest import SMALL
from tests.forks import ours

MAXOUT = (
    "--network=maxout",
    "--width=160",
    "--optimizer=momentum",
    "--learning_rate=0.1",
    "--momentum_steps=30",
)
SCRIPT = workers.SCRIPT


def saved(workdir):
    """All variables of the newest checkpoint, by name."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(workdir / "checkpoints"))
    names = [n for n in reader.get_variable_to_shape_map() if n != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    return {name: reader.get_tensor(name) for name in names}


def assert_same(first, second):
    one, other = saved(first), saved(second)
    assert len(one) > 20
    assert one.keys() == other.keys()
    for name in one:
        if name != "save_counter/.ATTRIBUTES/VARIABLE_VALUE":  # How often, not what.
            assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize(
    "flags",
    [
        (),
        pytest.param(
            (
                *("--network=mlp", "--discriminator_steps=2"),
                *("--prior=uniform", "--generator_loss=minimax"),
            ),
            marks=pytest.mark.faults,
        ),
        pytest.param(MAXOUT, marks=pytest.mark.faults),
        (
            *("--network=mlp", "--generator_loss=relativistic", "--flip", "--ema_half_life=100"),
            *("--augment=color,translation,cutout", "--augment_target=0.01", "--r1_weight=0.1"),
            "--discriminator_learning_rate=0.01",
        ),
    ],
    ids=["dcgan", "mlp", "maxout", "pairs"],
)
def test_n_then_m_steps_are_n_plus_m_to_the_bit(flags, tmp_path, capsys, monkeypatch):
    """Other intervals too, so that other numbers of steps share a call."""
    monkeypatch.setattr(augmentation, "RISE", 1000)  # So that the probability leaves 0.

    def run(folder, *more):
        assert train.run([*SMALL, *flags, f"--workdir={tmp_path / folder}", *more]) == 0
        return capsys.readouterr().out

    run("whole", "--steps=37")
    run("halves", "--steps=17", "--log_every=5")
    said = run("halves", "--steps=37", "--log_every=3", "--sample_every=7")
    assert "resumes from step 17, to step 37" in said
    assert_same(tmp_path / "whole", tmp_path / "halves")
    adapted = [each for name, each in saved(tmp_path / "whole").items() if "augmentation" in name]
    assert [0 < float(each) < 1 for each in adapted] == [True] * ("--flip" in flags)


def test_a_stop_signal_saves_and_the_same_command_goes_on(tmp_path, capsys):
    """Stopped once it reports progress; the steps of the end are those of a run of that length.

    That each signal is caught as this one `test_signals.py` shows.
    """
    command = [sys.executable, "-c", SCRIPT, *SMALL, f"--workdir={tmp_path / 'run'}"]
    process = subprocess.Popen(
        [*command, "--steps=1000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith("step "):
            process.send_signal(signal.SIGINT)
            break
    rest, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "; the same command resumes the run" in rest
    assert ours(errors) == []
    step = int(rest.split("stopped and saved at step ")[1].split(";")[0].replace(",", ""))
    assert step < 1_000_000

    for folder in ("run", "whole"):
        steps = f"--steps={step + 3}"
        assert train.run([*SMALL, f"--workdir={tmp_path / folder}", steps]) == 0
        resumes = f"resumes from step {step:,}" in capsys.readouterr().out
        assert resumes == (folder == "run")
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_steps_is_the_total(small_run, capsys):
    before = (small_run / "config.json").read_bytes()
    assert train.run([*SMALL, f"--workdir={small_run}", "--steps=30"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert train.run([*SMALL, f"--workdir={small_run}", "--steps=7"]) == 0
    assert "has 30 of 7 steps" in capsys.readouterr().out
    assert (small_run / "config.json").read_bytes() == before


def test_another_configuration_is_refused_and_nothing_is_touched(small_run, capsys):
    before = {p: p.read_bytes() for p in small_run.rglob("*") if p.is_file()}
    assert train.run([*SMALL, f"--workdir={small_run}", "--seed=1", "--steps=60"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "seed 0 -> 1" in line
    assert before == {p: p.read_bytes() for p in small_run.rglob("*") if p.is_file()}


def test_a_folder_alone_goes_on_with_its_configuration(small_run, capsys):
    assert train.run([f"--workdir={small_run}"]) == 0
    printed = capsys.readouterr().out
    assert "width=8" in printed
    assert "nothing to do" in printed


def test_a_second_run_in_the_folder_is_refused(small_run, capsys):
    with open(small_run / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert train.run([*SMALL, f"--workdir={small_run}", "--steps=60"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "in use by another process" in line


def test_a_workdir_that_cannot_be_made_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert train.run([*SMALL, f"--workdir={tmp_path / 'file' / 'run'}", "--steps=1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "run: cannot be written: Not a directory" in line


def test_config_file_is_the_resolved_configuration(small_run):
    fields = json.loads((small_run / "config.json").read_text())
    assert len(fields.pop("sha256")) == 64
    assert fields == {
        **dataclasses.asdict(configs.from_preset("digits")),
        "width": 8,
        "latent_dim": 8,
        "batch_size": 16,
        "mixed_precision": "float32",
        "tf32": False,
        "steps": 30,
        "log_every": 10,
        "sample_every": 10,
        "checkpoint_every": 10,
    }


def test_dry_run_tells_and_leaves_nothing(tmp_path, capsys):
    assert train.run([*SMALL, f"--workdir={tmp_path / 'run'}", "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "latent_dim=8" in printed
    assert "digits, 1,797 images 16x16x1, in memory" in printed
    assert "float32 (16, 16, 16, 1), from -1.00 to 1.00" in printed
    assert "generator: " in printed
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--preset=nope"], "--preset=nope"),
        (["--prior=cauchy"], "--prior=cauchy"),
        (["--batch_size=0"], "--batch_size=0"),
        (["--batch_size=many"], "--batch_size=many"),
        (["--image_size=30"], "--image_size=30"),
        (["--dataset=folder:/does/not/exist"], "folder:/does/not/exist"),
        (["--preset=pictures"], "--dataset"),
        (["--no_such_flag=1"], "no_such_flag"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(flags, named, tmp_path, capsys):
    assert train.run([f"--workdir={tmp_path / 'run'}", *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gan-keras-train: ")
    assert named in line
    assert not (tmp_path / "run").exists()


def test_help_is_told_without_tensorflow(program):
    """`--help` answers at once because nothing heavy is imported: that is what is held here."""
    names = ("train", "export", "sample", "serve", "classify", "evaluate", "compare")
    for name in names:
        code = (
            f"import sys; from gan_keras.cli.{name} import run\n"
            "try: run(['--help'])\n"
            "except SystemExit as end: assert end.code == 0\n"
            "heavy = {'tensorflow', 'keras', 'grpc', 'aiohttp', 'PIL', 'tensorflow_datasets'}\n"
            "sys.exit(f'imported {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"gan-keras-{'classifier' if name == 'classify' else name}: " in done.stdout


def test_mnist_through_tfds(mnist_config, tmp_path, program):
    flags = ["--preset=dcgan2015", "--width=8", "--steps=3"]
    where = [f"--data_dir={mnist_config().data_dir}", f"--workdir={tmp_path}"]
    done = program("train", *flags, *where)
    assert done.returncode == 0, done.stderr
    assert "data: mnist, 60,000 images 28x28x1, in memory" in done.stdout
    assert ours(done.stderr) == []
    assert (tmp_path / "samples" / "step-000003.png").exists()
    assert len(saved(tmp_path)) > 20


@pytest.fixture(scope="module")
def by_one_device(tmp_path_factory):
    """A run of 20 steps."""
    workdir = tmp_path_factory.mktemp("by_one_device")
    assert train.run([*SMALL, "--steps=20", f"--workdir={workdir}"]) == 0
    return workdir


def test_two_devices_do_what_one_does(tmp_path, forks, by_one_device):
    """MirroredStrategy with half the batch each, many steps per call, as on several GPUs."""
    flags = (*SMALL, "--steps=20", "--virtual_devices=2")
    status = forks.run("train", *flags, f"--workdir={tmp_path / 'two'}", devices=2)
    assert status == 0, forks.err.read_text()
    assert (
        "devices: 2 CPU replicas (MirroredStrategy, --strategy=mirrored for --virtual_devices=2), "
        "8 of 16 examples each, gradients added up by ring" in forks.out.read_text()
    )
    assert_close(by_one_device, tmp_path / "two")


def assert_close(first, second, typical=1e-6):
    """Weights agree up to float32 rounding, which Adam amplifies.

    Where a gradient is rounding noise Adam still moves by up to the learning rate, 2e-4: over
    20 steps two runs differ by at most twice 20 * 2e-4 there, and not at all elsewhere. Most
    weights must be far closer than that; on other images half of them differ by more than 2e-4.
    """
    one, other = saved(first), saved(second)
    weights = [name for name in one if "_trainable_variables/" in name]
    assert len(weights) == 15  # G: dense, 2 convolutions, bias, 2 x 2 of BN; D: 2, bias, 2, 2.
    gaps = np.concatenate([np.abs(one[n] - other[n]).ravel() for n in weights])
    assert gaps.max() <= 2 * 20 * 2e-4
    assert np.median(gaps) < typical


def test_two_workers_train_as_one(tmp_path, by_one_device):
    """MultiWorkerMirroredStrategy: two processes; the chief alone writes.

    All that it does beside the step happens several times: an operation of the whole cluster
    among that, which the other does not take part in, would end or stop them both.
    """
    often = ("--log_every=5", "--sample_every=8", "--checkpoint_every=6")
    flags = (*SMALL, *often, "--steps=20")
    folders = [tmp_path / f"worker-{index}" for index in range(2)]
    with workers.cluster(2, *flags, folders=folders) as processes:
        printed = workers.finish(processes)
    for out in printed:
        assert "devices: 2 CPU replicas" in out
        assert "--strategy=multi_worker for the cluster of TF_CONFIG), 8 of 16 examples each" in out
    assert not list(folders[1].glob("*"))
    assert_close(by_one_device, folders[0])


@pytest.mark.faults
def test_workers_that_would_not_go_on_together_are_told(tmp_path):
    """Folders of their own, of which one is empty."""
    folders = [tmp_path / f"worker-{index}" for index in range(2)]
    with workers.cluster(2, *SMALL, "--steps=2", folders=folders) as processes:
        workers.finish(processes)
    with workers.cluster(2, *SMALL, "--steps=4", folders=folders) as processes:
        for process in processes:
            _, errors = process.communicate(timeout=500)
            assert process.returncode == 1
            (line,) = errors.splitlines()
            assert "the workers' checkpoints are of steps 2, 0; give all the same folder" in line
