"""No two streams of random numbers overlap, and the code draws what the tables say."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from gan_keras import config as configs
from gan_keras import data, networks
from gan_keras.config import random_streams as streams
from gan_keras.data import order, stacked
from gan_keras.evaluation import classifier, classifier_training, image_scores, judge
from gan_keras.exporting.served import Served
from gan_keras.game import GAN
from gan_keras.game.conditional import draw_labels
from gan_keras.metrics import bootstrap, kid
from gan_keras.networks import maxout
from gan_keras.training import callbacks, run

LAST_SEED = 2**31 - 1
seeds = st.integers(0, LAST_SEED)


def overlap(a, b):
    return max(a.start, b.start) < min(a.stop, b.stop)


def test_no_pair_is_in_two_streams():
    """Pairs are the same only if both halves are."""
    shared = [
        (a, b)
        for (a, one), (b, other) in itertools.combinations(streams.PAIRS.items(), 2)
        if overlap(one[0], other[0]) and overlap(one[1], other[1])
    ]
    assert shared == []


def test_no_key_is_in_two_streams():
    keys = itertools.combinations(streams.KEYS.items(), 2)
    assert [(a, b) for (a, one), (b, other) in keys if overlap(one, other)] == []


def test_no_two_numpy_generators_share_a_stream():
    assert len(set(streams.GENERATORS.values())) == len(streams.GENERATORS)


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, 10), (9, 20)), ((0, 2**40), (5, 6)), ((-(2**63), 2**63), (0, 1))],
)
def test_overlap_is_found(first, second):
    assert overlap(range(*first), range(*second))
    assert overlap(range(*second), range(*first))
    assert not overlap(range(*first), range(first[1], first[1] + 1))


@given(seeds, st.integers(0, 15), seeds, st.integers(0, 15))
def test_each_dropout_layer_of_each_seed_has_its_own_pairs(seed, layer, other_seed, other_layer):
    same = (seed, layer) == (other_seed, other_layer)
    first, other = streams.dropout(seed, layer), streams.dropout(other_seed, other_layer)
    assert (first == other) == same
    assert first in streams.PAIRS["DROPOUT"][0]


@given(seeds, st.integers(0, 2**62 - 1), st.sampled_from(list(streams.PAIRS)))
def test_a_pair_of_a_seed_is_in_no_other_stream(seed, draw, name):
    first_range, second_range = streams.PAIRS[name]
    pair = first_range.start + seed, second_range.start + draw % _length(second_range)
    assert pair[0] in first_range
    holds = [n for n, (a, b) in streams.PAIRS.items() if pair[0] in a and pair[1] in b]
    assert holds == [name]


@given(seeds, st.sampled_from(list(streams.GENERATORS.values())))
def test_numpy_generators_differ_by_stream_and_seed(seed, stream):
    def draw(*entropy):
        return np.random.default_rng(entropy).integers(2**62)

    mine = draw(stream, seed)
    assert mine != draw(stream % len(streams.GENERATORS) + 1, seed)
    assert mine != draw(stream, (seed + 1) % 2**31)


def _length(of):
    return of.stop - of.start  # `len` knows no more than 63 bits.


@pytest.fixture
def drawn(monkeypatch):
    """The pairs that TensorFlow's stateless draws get, in order."""
    pairs = []

    def recording(function):
        def draw(shape, seed, *args, **kwargs):
            pairs.append(tuple(int(half) for half in tf.unstack(seed)))
            return function(shape, seed, *args, **kwargs)

        return draw

    for name in ("stateless_normal", "stateless_uniform", "stateless_truncated_normal"):
        monkeypatch.setattr(tf.random, name, recording(getattr(tf.random, name)))
    return pairs


@pytest.mark.parametrize("seed", [0, 7, LAST_SEED])
@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_a_training_step_draws_from_its_streams(drawn, seed, prior):
    """Two steps of two updates each: latents and both noises per update, then G's answer."""
    generator, discriminator = networks.build(
        "mlp", shape=(8, 8, 1), latent_dim=3, width=4, seed=seed
    )
    drawn.clear()
    gan = GAN(
        generator,
        discriminator,
        prior=prior,
        discriminator_steps=2,
        instance_noise=0.1,
        instance_noise_steps=10,
        seed=seed,
    )
    gan.compile(keras.optimizers.SGD(), keras.optimizers.SGD())
    for _ in range(2):
        gan.train_step((tf.zeros([2, 8, 8, 1]),) * 2)
    each = (streams.LATENTS, streams.REAL_NOISE, streams.FAKE_NOISE)
    expected = []
    for step in range(2):
        expected += [(stream + seed, 2 * step + i) for i in range(2) for stream in each]
        expected.append((streams.ANSWER_NOISE + seed, 2 * step))
    assert drawn == expected


def test_augmentation_draws_from_its_streams(drawn):
    pair = networks.build("mlp", shape=(8, 8, 1), latent_dim=3, width=4, seed=0)
    gan = GAN(*pair, augment=["color"], discriminator_steps=2, seed=LAST_SEED)
    gan.compile(keras.optimizers.SGD(), keras.optimizers.SGD())
    drawn.clear()
    gan.train_step((tf.zeros([2, 8, 8, 1]),) * 2)
    each = (streams.LATENTS, streams.REAL_AUGMENTATION, streams.FAKE_AUGMENTATION)
    expected = [(stream + LAST_SEED, i) for i in range(2) for stream in each]
    assert drawn == [*expected, (streams.ANSWER_AUGMENTATION + LAST_SEED, 0)]


def test_the_streams_of_existing_runs_are_what_they_were():
    """A run that an earlier version began has drawn from these."""
    noise = (streams.LATENTS, streams.REAL_NOISE, streams.FAKE_NOISE, streams.ANSWER_NOISE)
    assert noise == (0, 2**32, 2**33, 2**34)
    assert (streams.DENSITY, streams.GRID, streams.ORDER) == (2**40, -1, 0)


@pytest.mark.parametrize("seed", [0, 5, LAST_SEED])
@pytest.mark.parametrize("network", list(networks.NETWORKS))
def test_initial_weights_have_pairs_of_their_own(drawn, network, seed):
    shape = (2,) if network == "points" else (8, 8, 1)
    generator, discriminator = networks.build(
        network, shape=shape, latent_dim=3, width=10, seed=seed
    )
    random = {
        id(variable.value): variable
        for player in (generator, discriminator)
        for variable in player.trainable_variables
        if np.std(variable.numpy()) > 0
    }
    assert len(drawn) == len(set(drawn)) == len(random)
    assert {first for first, _ in drawn} == {seed}
    seconds = {second for _, second in drawn}
    mine = {n for n in seconds if n in streams.PAIRS["GENERATOR_WEIGHTS"][1]}
    assert mine == set(range(streams.GENERATOR_WEIGHTS, streams.GENERATOR_WEIGHTS - len(mine), -1))
    others = seconds - mine
    last = streams.DISCRIMINATOR_WEIGHTS - len(others)
    assert others == set(range(streams.DISCRIMINATOR_WEIGHTS, last, -1))
    assert mine
    assert others


def test_initial_weights_of_a_classifier_have_pairs_of_their_own(drawn):
    classifier.build(8, 1, 3, seed=4)
    stream = streams.CLASSIFIER_WEIGHTS
    assert drawn == [(4, stream - i) for i in range(len(drawn))]
    assert drawn


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=r"^seed must be from 0 to 2147483647, not "):
        networks.WeightSeeds(seed, streams.GENERATOR_WEIGHTS)


def test_weight_seeds_survive_serialisation():
    """As part of an initialiser, in a model that is saved."""
    initializer = keras.initializers.RandomNormal(
        seed=networks.WeightSeeds(3, streams.GENERATOR_WEIGHTS)
    )
    stored = keras.saving.serialize_keras_object(initializer)
    again = keras.saving.deserialize_keras_object(stored)
    np.testing.assert_array_equal(initializer((4, 5)), again((4, 5)))


@pytest.mark.parametrize("seed", [0, LAST_SEED])
def test_dropout_draws_from_its_stream(drawn, seed):
    _, discriminator = networks.build("maxout", shape=(8, 8, 1), latent_dim=3, width=10, seed=seed)
    drawn.clear()
    for _ in range(2):
        discriminator(np.zeros((2, 8, 8, 1), "float32"), training=True)
    firsts = [streams.DROPOUT + layer * 2**32 + seed for layer in range(3)]
    assert drawn == [(first, draw) for draw in range(2) for first in firsts]
    layers = [each for each in discriminator.layers if isinstance(each, maxout.RowDropout)]
    assert [layer.seed for layer in layers] == firsts


def test_the_grid_the_watch_and_evaluation_draw_from_their_streams(drawn):
    generator, discriminator = networks.build("mlp", shape=(8, 8, 1), latent_dim=3, width=4, seed=0)
    gan = GAN(generator, discriminator, seed=9)
    gan.compile(keras.optimizers.SGD(), keras.optimizers.SGD())
    gan.steps.assign(1)  # A run that is resumed draws no picture at once.
    real = np.random.default_rng(0).normal(size=(4, 64)).astype("float32")
    beside = [
        callbacks.Samples(None, "unused", 10, callbacks.Grid()),
        callbacks.Collapse(real, 10, 10, stop=False),
    ]
    drawn.clear()
    for each in beside:
        each.set_model(gan)
        each.on_train_begin()
    judge.generate(generator, "normal", 2, seed=9)
    assert drawn == [(9, streams.GRID), (9, streams.GRID), (9, streams.EVALUATION)]


def test_points_draw_from_their_streams(monkeypatch):
    points = data.Points("ring")
    pairs = []
    draw = type(points.density).draw

    def recording(density, count, seed):
        pairs.append(seed)
        return draw(density, count, seed)

    monkeypatch.setattr(type(points.density), "draw", recording)
    points.sample(2, seed=LAST_SEED)
    assert pairs == [(streams.DENSITY_SAMPLE + LAST_SEED, 0)]
    step_5 = next(iter(points.batches(4, seed=3, start=5, per_step=2)))
    for i in range(2):
        expected = draw(points.density, 4, (streams.DENSITY + 3, 5 * 2 + i)) / points.scale
        np.testing.assert_array_equal(step_5[i], expected)


@pytest.fixture
def keys(monkeypatch):
    """The keys of the orders that are asked for."""
    found = []
    image_numbers = order.image_numbers

    def recording(positions, count, seed):
        found.append(seed)
        return image_numbers(positions, count, seed)

    monkeypatch.setattr(order, "image_numbers", recording)
    return found


def test_each_order_of_images_has_its_own_key(keys):
    images = data.load(configs.from_preset("digits"))
    next(iter(images.batches(4, seed=3)))
    images.sample(4, seed=3)
    images.first(4)
    run._some(images)
    assert set(keys) == {
        streams.ORDER + 3,
        streams.CHOICE + 3,
        streams.PICTURE,
        streams.EXAMPLES,
    }


def test_numpy_draws_from_its_streams(monkeypatch):
    entropies = []
    default_rng = np.random.default_rng

    def recording(entropy):
        entropies.append(entropy)
        return default_rng(entropy)

    features = default_rng(0).normal(size=(8, 2))
    config = configs.from_preset("digits", seed=3)
    monkeypatch.setattr(np.random, "default_rng", recording)
    bootstrap.resampled_interval(lambda counts: float(counts[0]), (5,), replicates=40, seed=3)
    kid.block_estimates(features, features + 1, seed=3, block=2)
    classifier_training._splits(config)
    scores = image_scores.ImageScores(config, (), 200, None, None, seed=3)
    scores._noise()
    stacked.numbers(9, 2)
    stacked.numbers(9, 2, test=True)
    assert entropies == [
        [streams.BOOTSTRAP, 3],
        [streams.BLOCKS, 3],
        [streams.CLASSIFIER_SPLIT, 3],
        [streams.NOISE_IMAGES, 3],
        [streams.STACKS, 0],
        [streams.STACKS, 1],
    ]


def test_every_number_is_in_a_table():
    tables = {*streams.PAIRS, *streams.KEYS, *streams.GENERATORS}
    numbers = {name for name, value in vars(streams).items() if isinstance(value, int)}
    assert numbers - {"MOST_TENSORS", "DROPOUT_LAYERS"} == tables


def test_a_served_picture_draws_from_its_streams(drawn):
    """Latents and, where no class is asked for, the class; whatever the seed."""
    latents, label = keras.Input((3,)), keras.Input((), dtype="int64")
    both = latents + keras.ops.expand_dims(keras.ops.cast(label, "float32"), -1)
    generator = keras.Model([latents, label], keras.layers.Reshape((1, 1, 3))(both))
    served = Served(generator, "normal", classes=("cat", "dog"))
    asked = [-(2**63), 0, 2**63 - 1]
    served.sample(tf.constant(asked, tf.int64))
    classes = [(seed, streams.SERVED_CLASS) for seed in asked]
    assert drawn == classes + [(seed, streams.SERVED) for seed in asked]


def test_classes_of_scored_samples_have_a_stream_of_their_own(drawn):
    draw_labels(4, np.full(10, 0.1), (LAST_SEED, streams.EVALUATION))
    assert drawn == [(streams.LABELS + LAST_SEED, streams.EVALUATION)]
    first, second = streams.PAIRS["LABELS"]
    assert drawn[0][0] in first
    assert drawn[0][1] in second
