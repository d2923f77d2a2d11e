"""A run on a known density: its pictures, its JSD, and the bound that must stay below it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.util.tensor_util import make_ndarray

from gan_keras import data, theory
from gan_keras.cli import train
from gan_keras.config import config as configs
from gan_keras.game.losses import discriminator_loss
from gan_keras.training import run as training
from gan_keras.training.callbacks import Density, density

STEPS = 60


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder of a short run on the line."""
    workdir = tmp_path_factory.mktemp("density") / "line"
    flags = ("--preset=gaussians_1d", "--width=32", f"--steps={STEPS}", f"--workdir={workdir}")
    assert train.run([*flags, "--log_every=20", "--sample_every=20"]) == 0
    return workdir


@pytest.fixture(scope="module")
def events(run):
    found = EventAccumulator(str(run / "logs" / "train"), size_guidance={"tensors": 0})
    found.Reload()
    return found


def scalars(events, tag):
    return {event.step: float(make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)}


def test_pictures_and_animation(run):
    names = sorted(path.name for path in (run / "samples").iterdir())
    steps = [f"step-{step:06}.png" for step in (0, 20, 40, 60)]
    assert names == ["animation.gif", *steps]
    with Image.open(run / "samples" / "animation.gif") as animation:
        assert animation.n_frames == len(steps)
        assert animation.size == (640, 480)


def test_bound_is_half_of_value_plus_log_4(events):
    value, bound = scalars(events, "value"), scalars(events, "jsd_lower_bound")
    assert list(bound) == [20, 40, 60]
    for step in bound:
        assert bound[step] == pytest.approx((value[step] + theory.LOG_4) / 2, abs=1e-6)


def test_true_jsd_at_every_picture(events):
    jsd = scalars(events, "jsd")
    assert list(jsd) == [0, 20, 40, 60]
    assert all(0 < value < np.log(2) for value in jsd.values())


def test_charts_of_the_theory(events):
    (event,) = events.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    (category,) = layout.category
    assert category.title == "Theory"
    patterns = [tag for chart in category.chart for tag in chart.multiline.tag]
    assert patterns == ["^value$", "^jsd(_lower_bound)?$", "^d_(real|fake)$"]


@pytest.mark.parametrize("preset", configs.DENSITIES)
def test_the_bound_stays_below_the_true_jsd(preset):
    """V of any D bounds the JSD from below: for D of many kinds, one near D*, on fresh draws.

    V is a mean of n = 10,000 pairs of terms; where its samples' standard deviation is s, it is
    above its own expectation by more than 5 s / sqrt(n) with a chance of 3e-7. The histogram
    errs upwards.
    """
    config = configs.from_preset(preset, width=32)
    gan = training.build(config)
    points = data.load(config)
    look = Density(points)
    latents = tf.random.stateless_normal((look.count, config.latent_dim), (7, 7))
    generated = gan(latents).numpy()
    _, jsd = look._compare(generated * points.scale)
    real = points.sample(look.count) / points.scale
    tightest = -np.inf
    optimizer = keras.optimizers.Adam(1e-2)
    optimizer.build(gan.discriminator.trainable_variables)
    for _ in range(40):
        with tf.GradientTape() as tape:
            losses = discriminator_loss(gan.discriminator(real), gan.discriminator(generated))
            loss = tf.reduce_mean(losses)
        variables = gan.discriminator.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        bound = (theory.LOG_4 - float(loss)) / 2
        margin = 5 * float(tf.math.reduce_std(losses)) / 2 / np.sqrt(look.count)
        assert bound <= jsd + margin
        tightest = max(tightest, bound)
    assert tightest > jsd / 3  # The bound says something: D was trained.


def test_jsd_counts_what_is_outside_and_what_diverged():
    points = data.load(configs.from_preset("ring"))
    look = Density(points)
    for lost in (np.full((100, 2), 99.0), np.full((100, 2), np.nan), np.full((100, 2), np.inf)):
        shares, jsd = look._compare(lost.astype(np.float32))
        assert shares.sum() == 0
        assert jsd == pytest.approx(np.log(2), abs=1e-5)
    near, jsd = look._compare(points.sample(10_000, seed=1))
    assert near.sum() == pytest.approx(1, abs=1e-3)
    # Of a perfect sample: (cells - 1) / (8 n), with the cells that the mass is in: within four
    # sigma of the centres, 8 * 8^2 cells, some more for what is further.
    assert jsd < 2 * 8 * 64 / (8 * 10_000)


def test_cells_of_the_plane_are_as_wide_as_a_gaussian():
    for preset in ("ring", "grid"):
        points = data.load(configs.from_preset(preset))
        cell = np.diff(Density(points).edges)[0]
        assert cell == pytest.approx(points.density.sigmas[0], rel=0.05)


def test_arrows_start_at_even_quantiles():
    look = Density(data.load(configs.from_preset("gaussians_1d")))
    normal = training.build(configs.from_preset("gaussians_1d", width=4))
    z = look._quantiles(normal)[:, 0]
    assert z[density.ARROWS // 2] == pytest.approx(0, abs=1e-6)
    assert z[0] == pytest.approx(-2.5758293, abs=1e-5)  # The 0.5 % quantile of N(0, 1).
    uniform = training.build(configs.from_preset("gaussians_1d", width=4, prior="uniform"))
    np.testing.assert_allclose(np.diff(look._quantiles(uniform)[:, 0]), 1.98 / 32, rtol=1e-5)
