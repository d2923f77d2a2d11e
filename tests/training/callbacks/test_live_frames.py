"""What a frame shows is what the GAN computes, and V's history the mean of its steps."""

import base64
import json

import numpy as np
import pytest

from gan_keras import data, theory
from gan_keras.config import config as configs
from gan_keras.training import run as training
from gan_keras.training.callbacks import LiveFrames, live_frames


def frames_of(preset, **fields):
    config = configs.from_preset(preset, width=4, mixed_precision="float32", **fields)
    return LiveFrames(data.load(config), training.build(config), every=10)


def test_a_frame_in_the_plane():
    frames = frames_of("ring")
    facts, frame = frames.game({"seed": 3}), frames.frame()
    assert facts["equilibrium"] == pytest.approx(-theory.LOG_4)
    assert facts["seed"] == 3
    assert np.shape(facts["real"]) == np.shape(frame["fake"]) == (live_frames.SHOWN, 2)
    scale = frames.look.points.scale
    expected = scale * frames.gan(frames.latents).numpy()
    np.testing.assert_allclose(frame["fake"], expected, atol=1e-4)
    d = np.frombuffer(base64.b64decode(frame["d"]), np.uint8).reshape(facts["cells"], -1)
    low, high = facts["window"]
    half = (high - low) / facts["cells"] / 2
    # The first row is the lowest, and its last cell the one on the right.
    corner = np.array([[high - half, low + half]], np.float32) / scale
    logit = frames.gan.discriminator(corner).numpy()[0, 0]
    assert d[0, -1] == pytest.approx(255 / (1 + np.exp(-logit)), abs=1)
    json.dumps([facts, frame], allow_nan=False)


def test_a_frame_on_a_line():
    frames = frames_of("gaussians_1d", instance_noise=0.5, instance_noise_steps=100)
    facts, frame = frames.game({}), frames.frame()
    x = np.array(facts["x"])
    expected = frames.look.curves(frames.gan, None, x)
    for name, curve in zip(("p_data", "p_g", "d", "d_star"), expected, strict=True):
        shown = np.array(frame[name], float)
        np.testing.assert_array_equal(np.isnan(shown), np.isnan(curve))
        np.testing.assert_allclose(shown, curve, atol=1e-4)
    assert None in frame["d"]
    assert frame["blur"] == pytest.approx(0.5 * frames.look.points.scale, abs=1e-4)
    assert len(frame["z"]) == len(frame["g"])
    json.dumps([facts, frame], allow_nan=False)


def test_points_that_are_not_finite_are_left_out():
    frames = frames_of("ring")
    bias = frames.gan.generator.trainable_variables[-1]
    bias.assign([np.nan, 0.0])
    frame = frames.frame()
    assert frame["fake"] == []
    json.dumps(frame, allow_nan=False)


def test_values_are_those_of_the_call_and_not_of_the_interval():
    """`every` = 10: the running means start anew at steps 10 and 20."""
    frames = frames_of("ring")
    values = np.linspace(-1, 2, 25)
    begun, shown = 0, []
    for step in (1, 4, 10, 13, 20, 25):
        last = frames.gan.step
        frames.gan.steps.assign(step)
        mean = values[begun:step].mean()
        frames.note({"value": mean, "d_real": 0.5, "d_fake": mean})
        assert frames.latest["value"] == pytest.approx(values[last:step].mean())
        shown.append(values[last:step].mean())
        begun = step if step % 10 == 0 else begun
    frame = frames.frame()
    assert frame["steps"] == [1, 4, 10, 13, 20, 25]
    np.testing.assert_allclose(frame["values"], shown, atol=1e-4)


@pytest.mark.parametrize("sizes", [(1,), (32,), (1, 7, 32)])
def test_a_long_history_is_bounded_and_its_means_are_exact(sizes):
    history, values = live_frames.ValueHistory(), np.sin(np.arange(20_000) / 900)
    step = 0
    while step < len(values) - max(sizes):
        count = sizes[step % len(sizes)]
        history.add(step + count, values[step : step + count].mean(), count)
        step += count
    ends, means = history.curve()
    assert live_frames.MOST_VALUES / 2 <= len(ends) <= live_frames.MOST_VALUES
    assert ends[-1] == step
    starts = [0, *ends[:-1]]
    expected = [values[first:last].mean() for first, last in zip(starts, ends, strict=True)]
    np.testing.assert_allclose(means, expected)
