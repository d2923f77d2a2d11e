"""Disks that are full at one place or another of training, exporting and scoring."""

import shutil
import subprocess

import pytest

from tests.conftest import SMALL
from tests.training.test_run import assert_same

pytestmark = pytest.mark.faults

OFTEN = ("--log_every=2", "--sample_every=6", "--checkpoint_every=4", "--steps=24")
ROOM = 64 * 1024  # KiB: more than anything here needs.


@pytest.fixture
def disk(tmp_path):
    """A file system in memory, and a function that gives it another size, in KiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(path)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk: mounting a tmpfs needs root")

    def resize(kibibytes):
        command = ["mount", "-o", f"remount,size={kibibytes}k", str(path)]
        subprocess.run(command, check=True, capture_output=True)

    yield path, resize
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("size", [8, 40, 60, 80, 120, 160, 200, 240, 280, 320, 360, 400, 480, 560])
def test_training_on_a_small_disk(size, disk, forks, tmp_path_factory):
    """Where it is full depends on the size: events, pictures, configuration, checkpoints."""
    path, resize = disk
    resize(size)
    flags = (*SMALL, *OFTEN)
    status = forks.run("train", *flags, f"--workdir={path / 'run'}")
    told = forks.err.read_text()
    assert status in (0, 1), told
    if status:
        # Events and pictures that are lost before are warned of, and end nothing.
        *warnings, line = told.splitlines()
        assert all(str(path) in warning for warning in warnings)
        assert line.startswith(f"gan-keras-train: {path}")
        assert "make room there" in line
    print(f"{size} KiB: {told.strip() or 'enough'}")
    resize(ROOM)
    assert forks.run("train", *flags, f"--workdir={path / 'run'}") == 0, forks.err.read_text()
    whole = tmp_path_factory.getbasetemp() / "undisturbed"
    if not whole.exists():
        assert forks.run("train", *flags, f"--workdir={whole}") == 0
    assert_same(path / "run", whole)


@pytest.mark.parametrize("size", [4, 16, 40, 80, 120, 160, 200, 240])
def test_exporting_to_a_small_disk(size, disk, small_run, forks):
    path, resize = disk
    resize(size)
    status = forks.run("export", f"--workdir={small_run}", f"--export_dir={path / 'exports'}")
    told = forks.err.read_text()
    assert status in (0, 1), told
    if status:
        (line,) = told.splitlines()
        assert line.startswith(f"gan-keras-export: --export_dir={path / 'exports'}: cannot be wri")
        assert "make room there" in line
        assert not [*path.glob("exports/*")]
    print(f"{size} KiB: {told.strip() or 'enough'}")
    resize(ROOM)
    assert forks.run("export", f"--workdir={small_run}", f"--export_dir={path / 'exports'}") == 0


def test_scoring_on_a_full_disk(disk, small_run, forks):
    path, resize = disk
    resize(ROOM)
    shutil.copytree(small_run, path / "run")
    used = sum(p.stat().st_blocks for p in path.rglob("*")) // 2
    resize(used + 4)
    with pytest.raises(OSError, match="No space left"):
        (path / "filler").write_bytes(bytes(ROOM * 1024))
    flags = ("--metrics=precision", "--extractor=pixels", "--num_samples=100", "--noreferences")
    assert forks.run("evaluate", f"--workdir={path / 'run'}", *flags) == 1
    (line,) = forks.err.read_text().splitlines()
    assert f"{path / 'run' / 'scores'}" in line
    assert "cannot be written: No space left on device; make room there" in line
