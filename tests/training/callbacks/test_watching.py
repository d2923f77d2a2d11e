"""What a run leaves to look at: scalars, grids in TensorBoard and as files, progress lines."""

import io
import math
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from gan_keras.drawing import images
from gan_keras.training.callbacks import progress


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
