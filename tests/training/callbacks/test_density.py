"""A run on a known density: its pictures, its JSD, and the bound that must stay below it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import stats
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.util.tensor_util import make_ndarray

from gan_keras import data, evaluation, theory
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
    assert patterns == ["^value$", "^(jsd|jsd_lower_bound)$", "^d_(real|fake)$"]


@pytest.mark.parametrize("preset", configs.DENSITIES)
def test_the_bound_stays_below_the_true_jsd(preset):
    """V of any D bounds the JSD from below: for D of many kinds, one near D*, on fresh draws.

    V is a mean of n = 10,000 pairs of terms; where its samples' standard deviation is s, it is
    above its own expectation by more than 5 s / sqrt(n) with a chance of 3e-7. The histogram
    errs upwards.
    """
    config = configs.from_preset(preset, width=32, mixed_precision="float32")
    gan = training.build(config)
    points = data.load(config)
    look = Density(points)
    latents = tf.random.stateless_normal((look.count, config.latent_dim), (7, 7))
    generated = gan(latents).numpy()
    jsd = evaluation.jsd(points.density, generated * points.scale)
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


def line_gan(**fields):
    fields = {"width": 4, "mixed_precision": "float32", **fields}
    return training.build(configs.from_preset("gaussians_1d", **fields))


def test_arrows_start_at_even_quantiles():
    look = Density(data.load(configs.from_preset("gaussians_1d")))
    z = look.quantiles(line_gan(), density.ARROWS)[:, 0]
    assert z[density.ARROWS // 2] == pytest.approx(0, abs=1e-6)
    assert z[0] == pytest.approx(-2.5758293, abs=1e-5)  # The 0.5 % quantile of N(0, 1).
    z = look.quantiles(line_gan(prior="uniform"), density.ARROWS)
    np.testing.assert_allclose(np.diff(z[:, 0]), 1.98 / 32, rtol=1e-5)


@pytest.mark.parametrize(("step", "share"), [(0, 1.0), (25, 0.75), (100, 0.0), (170, 0.0)])
def test_the_blur_is_the_one_that_the_step_adds(step, share):
    """p_data of the curves is the histogram's of what D is given, and the title says the blur."""
    look = Density(data.load(configs.from_preset("gaussians_1d")))
    gan = line_gan(instance_noise=0.5, instance_noise_steps=100)
    gan.steps.assign(step)
    scale = look.points.scale
    assert look.blur(gan) == pytest.approx(0.5 * share * scale)
    seen = scale * gan._blur(look.points.sample(200_000, seed=1) / scale, 0).numpy()[:, 0]
    x = np.linspace(-4, 4, 81)
    p_data, *_ = look.curves(gan, np.zeros((10, 1)), x)
    counts, _ = np.histogram(seen, x)
    middles = (p_data[1:] + p_data[:-1]) / 2
    # A count's deviation is below sqrt(200,000 * 0.05) = 100: five of them, per n and cell.
    np.testing.assert_allclose(counts / 200_000 / 0.1, middles, atol=5 * 100 / 200_000 / 0.1)


def test_p_g_is_the_density_of_the_generator():
    """G(z) = a z + b: a Gaussian, with the blur and the bandwidth on it."""
    look = Density(data.load(configs.from_preset("gaussians_1d")))
    x = np.linspace(-4, 4, 401)
    for width in (0.05, 0.4):
        samples = stats.norm(0.3, 0.7).ppf((np.arange(10_000) + 0.5) / 10_000)
        found = density._estimate(samples, x, width)
        exact = stats.norm(0.3, np.hypot(0.7, width)).pdf(x)
        np.testing.assert_allclose(found, exact, atol=2e-3)
    lost = np.array([np.nan, np.inf, -np.inf, 1e9, 0.0])
    assert np.trapezoid(density._estimate(lost, x, 0.1), x) == pytest.approx(1 / 5)
    assert look.count == 10_000


def test_nothing_is_shown_where_neither_density_is():
    look = Density(data.load(configs.from_preset("gaussians_1d")))
    x = np.linspace(-4, 4, 401)
    p_data, p_g, d, d_star = look.curves(line_gan(), None, x)
    shown = ~np.isnan(d)
    np.testing.assert_array_equal(shown, ~np.isnan(d_star))
    assert not shown[[0, -1]].any()
    assert shown[np.abs(x) < 1].all()
    mass = np.sum((p_data + p_g)[~shown]) / np.sum(p_data + p_g)
    assert mass < 0.01


def test_d_follows_d_star_before_both_come_to_one_half():
    """The preset itself: from step 100 to 200 D is near a D* that is far from flat.

    Distances are means over what D is asked, (p_data + p_g) / 2.
    """
    config = configs.from_preset("gaussians_1d", mixed_precision="float32")
    gan, points = training.build(config), data.load(config)
    look = Density(points)
    x = np.linspace(-4, 4, 401)
    gan.steps_per_execution = 50
    gan.make_train_function()
    batches = iter(points.batches(config.batch_size, config.seed, 0, config.discriminator_steps))
    apart, bent = {}, {}
    for step in (0, 50, 100, 150, 200):
        assert gan.step == step
        p_data, p_g, d, d_star = look.curves(gan, None, x)
        weights = np.where(np.isnan(d), 0, p_data + p_g)
        shown = weights > 0
        apart[step], bent[step] = (
            np.average(np.abs(one - other)[shown], weights=weights[shown])
            for one, other in ((d, d_star), (d_star, np.full_like(x, 0.5)))
        )
        gan.train_function(batches)
    assert apart[0] > 0.1  # Not yet trained: the measure can fail.
    assert max(apart[step] for step in (50, 100, 150, 200)) < 0.05
    assert bent[100] > 0.1
    assert bent[0] > bent[100] > bent[200]
