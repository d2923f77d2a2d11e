"""What a run leaves to look at: scalars, grids in TensorBoard and as files, progress lines."""

import contextlib
import io
import math
import os
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from gan_keras.drawing import images
from gan_keras.training.callbacks import progress, samples


@pytest.fixture(scope="module")
def runs(small_run):
    found = {}
    for name in ("train", "equilibrium", "disjoint"):
        found[name] = EventAccumulator(str(small_run / "logs" / name), size_guidance={"tensors": 0})
        found[name].Reload()
    return found


def scalars(run, tag):
    return {event.step: float(make_ndarray(event.tensor_proto)) for event in run.Tensors(tag)}


def test_scalars_at_every_interval(runs):
    for tag in ("d_loss", "g_loss", "value", "d_real", "d_fake", "images_per_second"):
        assert list(scalars(runs["train"], tag)) == [10, 20, 30], tag


def test_value_is_minus_d_loss_in_nats(runs):
    value, loss = scalars(runs["train"], "value"), scalars(runs["train"], "d_loss")
    np.testing.assert_allclose(list(value.values()), [-v for v in loss.values()], rtol=1e-6)


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (
            "equilibrium",
            {
                "value": -math.log(4),
                "d_loss": math.log(4),
                "d_real": 0.5,
                "d_fake": 0.5,
                "jsd_lower_bound": 0,
            },
        ),
        ("disjoint", {"value": 0, "jsd_lower_bound": math.log(2)}),
    ],
)
def test_where_the_theory_ends_is_drawn_into_the_same_charts(runs, bound, expected):
    assert set(runs[bound].Tags()["tensors"]) == set(expected)
    assert set(expected) <= set(runs["train"].Tags()["tensors"])
    for tag, value in expected.items():
        points = scalars(runs[bound], tag)
        assert list(points) == [10, 20, 30]
        np.testing.assert_allclose(list(points.values()), value, rtol=1e-6)


def png_of(event):
    return np.asarray(Image.open(io.BytesIO(event.tensor_proto.string_val[2])))


def test_grids_in_tensorboard_are_the_files(runs, small_run):
    events = runs["train"].Tensors("samples")
    assert [event.step for event in events] == [0, 10, 20, 30]
    for event in events:
        file = Image.open(small_run / "samples" / f"step-{event.step:06}.png")
        np.testing.assert_array_equal(png_of(event), np.asarray(file))


def test_the_same_latents_are_drawn_as_the_generator_changes(runs, small_run):
    from gan_keras.checkpoints import save_restore as checkpoints
    from gan_keras.config import config as configs
    from gan_keras.game.priors import PRIORS
    from gan_keras.training import run as training

    config = configs.load(small_run)
    gan = training.build(config)
    checkpoints.restore_latest(checkpoints.manager(gan, small_run, keep=3))
    latents = PRIORS[config.prior]((64, config.latent_dim), seed=[config.seed, -1])
    expected = images.grid(images.to_uint8(gan(latents).numpy()))
    last = runs["train"].Tensors("samples")[-1]
    np.testing.assert_array_equal(png_of(last), expected[:, :, 0])
    assert not np.array_equal(png_of(last), png_of(runs["train"].Tensors("samples")[0]))


def test_an_animation_of_all_grids_at_the_end(small_run):
    with Image.open(small_run / "samples" / "animation.gif") as animation:
        assert animation.n_frames == 4
        animation.seek(3)
        last = np.asarray(animation.convert("L")).astype(int)
    grid = np.asarray(Image.open(small_run / "samples" / "step-000030.png")).astype(int)
    # 255 colours for all frames: of the 256 grey levels some share one.
    assert np.abs(last - grid).max() <= 8


def test_real_pictures_once(runs, small_run):
    (event,) = runs["train"].Tensors("real")
    file = Image.open(small_run / "samples" / "real.png")
    np.testing.assert_array_equal(png_of(event), np.asarray(file))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3725, "1:02:05")]
)
def test_time_left(seconds, text):
    assert progress.clock(seconds) == text


def test_progress_line_has_step_speed_and_time_left(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    callback = progress.Progress(steps=1000, batch_size=64)
    model = SimpleNamespace(step=0)
    callback.set_model(model)
    logs = {"d_loss": 1.3, "g_loss": 0.7, "d_real": 0.6, "d_fake": 0.4}
    for step, seconds in ((1, 30), (11, 1), (101, 9), (1000, 90)):
        model.step, now[0] = step, now[0] + seconds
        callback.on_train_batch_end(0, logs)
    # Neither the call that traced the graph, nor a line within five seconds of another.
    assert capsys.readouterr().out.splitlines() == [
        "step 11/1,000  d_loss 1.300  g_loss 0.700  D(x) 0.60  D(G(z)) 0.40  640 images/s  "
        "1:39 left",
        "step 101/1,000  d_loss 1.300  g_loss 0.700  D(x) 0.60  D(G(z)) 0.40  640 images/s  "
        "1:30 left",
        "step 1,000/1,000  d_loss 1.300  g_loss 0.700  D(x) 0.60  D(G(z)) 0.40  639 images/s  "
        "0:00 left",
    ]


def test_warnings_stand_at_the_end_of_the_progress_line_while_they_last(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    warnings = {}
    callback = progress.Progress(steps=1000, batch_size=64, warnings=warnings)
    model = SimpleNamespace(step=0)
    callback.set_model(model)
    logs = {"d_loss": 1.3, "g_loss": 0.7, "d_real": 0.6, "d_fake": 0.4}
    for step, found in ((1, {}), (11, {"no gradient": "", "near-duplicates": ""}), (21, {})):
        model.step, now[0] = step, now[0] + 10
        warnings.clear()
        warnings.update(found)
        callback.on_train_batch_end(0, logs)
    ends = [line.split(" left")[1] for line in capsys.readouterr().out.splitlines()]
    assert ends == ["  ! no gradient  ! near-duplicates", ""]


LOGS = {"d_loss": 1.3, "g_loss": 0.7, "d_real": 0.6, "d_fake": 0.4}


class Lost:
    """An output that nobody reads, or for which there is no room."""

    def __init__(self, error):
        self.error = error
        self.tried = 0

    def isatty(self):
        return False

    def write(self, text):
        self.tried += 1
        raise self.error

    def flush(self):
        pass


@pytest.mark.parametrize(
    ("error", "alone", "stops"),
    [
        (BrokenPipeError(32, "Broken pipe"), True, True),
        (BrokenPipeError(32, "Broken pipe"), False, False),
        (OSError(28, "No space left on device"), True, False),
    ],
)
def test_a_lost_output_stops_nothing_but_for_who_looked_on(
    monkeypatch, caplog, error, alone, stops
):
    now, output = [100.0], Lost(error)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress.sys, "stdout", output)
    callback = progress.Progress(steps=1000, batch_size=64)
    resolver = None if alone else SimpleNamespace(task_type="worker")
    strategy = SimpleNamespace(cluster_resolver=resolver)
    model = SimpleNamespace(step=0, stop_training=False, distribute_strategy=strategy)
    callback.set_model(model)
    for step in (1, 11, 21, 31):
        model.step, now[0] = step, now[0] + 10
        callback.on_train_batch_end(0, LOGS)
    callback.on_train_end()
    assert model.stop_training == stops
    assert output.tried == 1
    assert len(caplog.messages) == (0 if error.errno == 32 else 1)


def test_a_closed_output_stops_nothing(monkeypatch):
    monkeypatch.setattr(progress.sys, "stdout", None)
    callback = progress.Progress(steps=10, batch_size=64)
    callback.set_model(SimpleNamespace(step=1))
    for _ in range(2):
        callback.model.step += 9
        callback.on_train_batch_end(0, LOGS)
    callback.on_train_end()


def grey(level):
    return np.full((8, 8, 1), level, np.uint8)


@pytest.fixture
def sampling(tmp_path):
    """A `Samples` at step 30 whose folder has the pictures of two steps before."""
    folder = tmp_path / "samples"
    folder.mkdir()
    for step in (10, 20):
        images.save_png(folder / f"step-{step:06}.png", grey(5 * step))
    look = SimpleNamespace(count=1, draw=lambda gan, latents: (grey(150), {}))
    writer = SimpleNamespace(as_default=lambda step: contextlib.nullcontext(), flush=lambda: None)
    callback = samples.Samples(writer, folder, 10, look)
    callback.set_model(SimpleNamespace(step=30))
    callback.latents = None
    return callback


def levels(folder):
    with Image.open(folder / "animation.gif") as animation:
        frames = []
        for number in range(animation.n_frames):
            animation.seek(number)
            frames.append(np.asarray(animation.convert("L"))[0, 0])
    return frames


@pytest.mark.parametrize(
    "name",
    ["step-best.png", "step-.png", "step-1e3.png", "step-\u0661.png", "step-000010.png.bak"],
)
def test_pictures_of_other_names_are_left_out_of_the_animation(sampling, caplog, name):
    (sampling.folder / name).write_bytes(b"")
    sampling.on_train_end()
    assert levels(sampling.folder) == [50, 100, 150]
    assert caplog.messages == []


@pytest.mark.parametrize("size", [0, 30, 45])
def test_a_truncated_picture_is_left_out_with_a_warning(sampling, caplog, size):
    path = sampling.folder / "step-000020.png"
    os.truncate(path, size)
    sampling.on_train_end()
    assert levels(sampling.folder) == [50, 150]
    (line,) = caplog.messages
    assert line.startswith(f"{path}: left out of the animation: ")


def test_pictures_of_two_sizes_cost_the_animation_and_a_warning(sampling, caplog):
    images.save_png(sampling.folder / "step-000025.png", np.zeros((4, 4, 1), np.uint8))
    sampling.on_train_end()
    (line,) = caplog.messages
    assert "animation.gif: is not made: " in line


def test_a_file_in_the_place_of_the_folder_costs_the_pictures(sampling, caplog, tmp_path):
    sampling.folder = tmp_path / "file"
    sampling.folder.write_text("")
    sampling.on_train_end()
    assert "step-000030.png: cannot be written: " in caplog.messages[0]
    assert "animation.gif: is not made: Not a directory" in caplog.messages[1]
