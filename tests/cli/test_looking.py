"""`gan-keras-sample` by latents: walks, truncation, and what is loaded instead of asked."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import gan_keras
from gan_keras.cli import looking, sample
from gan_keras.client import Client
from gan_keras.drawing import images
from gan_keras.exporting import contract
from gan_keras.exporting.interpolation import slerp
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import serving


@pytest.fixture(scope="module")
def served(exported):
    with serving(ModelSettings(contract.MODEL_NAME, exported.parent)) as running:
        yield running


def frames(path):
    with Image.open(path) as animation:
        return animation.n_frames, animation.size


def read(path):
    return images.decode_png(path.read_bytes())


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_a_walk_over_a_server_is_that_of_the_run(served, small_run, tmp_path, transport, capsys):
    loaded = gan_keras.load(small_run)
    with Client(getattr(served, transport), transport) as client:
        assert_allclose(client.latents(70, 3), loaded.latents(70, 3), atol=1e-6)
    ends = loaded.latents(2, 3)
    pictures = images.to_uint8(loaded.generate(0.5 * slerp(*ends, 14)))
    ask = ["--interpolate=3,4", "--frames=14", "--truncation=0.5"]
    where = [f"--server={getattr(served, transport)}", f"--transport={transport}"]
    assert sample.run([*ask, *where, f"--output={tmp_path / 'walk.png'}"]) == 0
    difference = read(tmp_path / "walk.png").astype(int) - looking.strip(pictures)
    assert np.abs(difference).max() <= 1
    # There and back again; frames that are alike are one.
    count, size = frames(tmp_path / "walk.gif")
    assert size == (192, 192)
    assert 1 < count <= 26
    first, second = capsys.readouterr().out.splitlines()
    assert f"walk.png and {tmp_path / 'walk.gif'}: 14 pictures of 16x16x1" in first
    assert "--truncation=0.5 --frames=14 --interpolate=4,5" in second


def test_what_is_loaded_needs_no_server(small_run, exported, tmp_path, capsys):
    expected = gan_keras.load(small_run).sample(5, 2)
    for place in (small_run, exported):
        out = tmp_path / "grid.png"
        assert sample.run([f"--load={place}", "--count=5", "--seed=2", f"--output={out}"]) == 0
        assert_array_equal(read(out), images.grid(expected))
    older = ["--checkpoint=20", f"--load={small_run}", f"--output={out}", "--count=5", "--seed=2"]
    assert sample.run(older) == 0
    assert_array_equal(read(out), images.grid(gan_keras.load(small_run, 20).sample(5, 2)))


def test_truncation_multiplies_the_latents(small_run, tmp_path):
    out, loaded = tmp_path / "grid.png", gan_keras.load(small_run)
    argv = [f"--load={small_run}", "--truncation=0.3", "--count=4", f"--output={out}"]
    assert sample.run(argv) == 0
    expected = images.to_uint8(loaded.generate(np.float32(0.3) * loaded.latents(4)))
    assert np.abs(read(out).astype(int) - images.grid(expected)).max() <= 1


def test_a_strip_shows_both_ends():
    pictures = np.arange(30, dtype=np.uint8)[:, None, None, None] * np.ones((48, 48, 1), np.uint8)
    strip = looking.strip(pictures)
    assert strip.shape == (48, 12 * 50 - 2, 1)
    assert (strip[0, 0, 0], strip[0, -1, 0]) == (0, 29)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--interpolate=1"], "--interpolate=1: give two seeds, as --interpolate=3,8"),
        (["--interpolate=1,b"], "--interpolate=1,b: give two seeds"),
        (["--interpolate=1,2", "--count=3"], "--count=3: not beside --interpolate; omit it"),
        (["--frames=3"], "--frames=3: goes with --interpolate"),
        (["--frames=61", "--interpolate=1,2"], "--frames=61"),
        (["--truncation=1.5"], "--truncation=1.5"),
        (["--load=x", "--server=y:1"], "--server and --load=x: choose one of them"),
        (["--checkpoint=3"], "--checkpoint=3: goes with --load"),
        (["--load=pretrained:nothing"], "pretrained:nothing: unknown; choose from"),
        *(
            (
                ["--load=pretrained:mnist", flag],
                f"{flag}: pretrained:mnist has 10 classes; give --l",
            )
            for flag in ("--truncation=0.5", "--interpolate=1,2")
        ),
    ],
)
def test_flags_that_do_not_go_together_are_one_line(tmp_path, monkeypatch, capsys, argv, message):
    monkeypatch.chdir(tmp_path)
    assert sample.run(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())
