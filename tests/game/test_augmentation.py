"""Augmentation against numpy, image by image; its gradients; and the probability that adapts."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from gan_keras.game import augmentation
from gan_keras.game.augmentation import KINDS, NUMBERS, Augmentation

RANDOM = np.random.default_rng(3)
IMAGES = RANDOM.uniform(-1, 1, (40, 9, 9, 3)).astype("float32")
UNIFORM = RANDOM.uniform(0, 1, (40, NUMBERS)).astype("float32")


def augmented(kinds, images=IMAGES):
    return Augmentation(kinds)(images, draw=lambda count: UNIFORM[: len(images), :count]).numpy()


def moved(image, down, right):
    """Every pixel goes down and right; what comes in is 0."""
    result = np.zeros_like(image)
    for i, j in np.ndindex(image.shape[:2]):
        if 0 <= i - down < image.shape[0] and 0 <= j - right < image.shape[1]:
            result[i, j] = image[i - down, j - right]
    return result


def test_no_kinds_change_nothing():
    assert_array_equal(augmented(()), IMAGES)


def test_color_is_its_formula():
    for image, found, (_, b, s, c) in zip(
        IMAGES, augmented(["color"]), UNIFORM[:, :4], strict=True
    ):
        expected = image + (b - 0.5)
        grey = expected.mean(axis=-1, keepdims=True)
        expected = (expected - grey) * 2 * s + grey
        expected = (expected - expected.mean()) * (c + 0.5) + expected.mean()
        assert_allclose(found, expected, atol=1e-5)


def test_translation_moves_by_whole_pixels_up_to_an_eighth():
    shifts = np.floor(UNIFORM[:, 5:7] * 3).astype(int) - 1  # An eighth of 9 is 1.
    assert set(shifts.ravel()) == {-1, 0, 1}
    for image, found, shift in zip(IMAGES, augmented(["translation"]), shifts, strict=True):
        assert_array_equal(found, moved(image, *shift))


@pytest.mark.parametrize("size", [8, 9, 10])
def test_cutout_makes_a_square_of_half_the_side_0(size):
    images = np.ones((40, size, size, 1), "float32")
    length = int(size / 2 + 0.5)
    for found, uniform in zip(augmented(["cutout"], images), UNIFORM[:, 8:10], strict=True):
        expected = np.ones((size, size))
        # The centre is anywhere; with an even length it lies between pixels, from edge to edge.
        top, left = (int(u * (size + 1 - length % 2)) - length // 2 for u in uniform)
        expected[max(top, 0) : top + length, max(left, 0) : left + length] = 0
        assert_array_equal(found[..., 0], expected)


def test_kinds_come_in_one_order_and_keep_their_numbers():
    assert_array_equal(augmented(["cutout", "color"]), augmented(["color", "cutout"]))
    alone = augmented(["cutout"]) == 0
    assert_array_equal(augmented(["translation", "cutout"])[alone], 0)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_dtypes_stay(dtype):
    layer = Augmentation(KINDS, dtype=dtype)
    assert layer(tf.cast(IMAGES, dtype), draw=lambda count: UNIFORM[:, :count]).dtype == dtype


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_against_finite_differences(kind):
    change, count = KINDS[kind]
    images, numbers = tf.constant(IMAGES[:4], tf.float64), tf.unstack(UNIFORM[:4, :count], axis=1)
    direction = RANDOM.normal(size=images.shape)

    def loss(x):
        return tf.reduce_sum(tf.sin(change(x, tf.constant(1.0, tf.float64), *numbers)))

    with tf.GradientTape() as tape:
        tape.watch(images)
        total = loss(images)
    slope = np.sum(tape.gradient(total, images) * direction)
    ends = [float(loss(images + sign * 1e-6 * direction)) for sign in (1, -1)]
    assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


def test_a_probability_of_0_changes_nothing_and_of_a_half_every_other():
    layer = Augmentation(KINDS, target=0.6)
    assert_array_equal(layer(IMAGES, draw=lambda count: UNIFORM[:, :count]), IMAGES)
    layer.probability.assign(0.5)
    only = Augmentation(["cutout"], target=0.6)
    only.probability.assign(0.5)
    found = only(IMAGES, draw=lambda count: UNIFORM[:, :count]).numpy()
    changed = np.any(found != IMAGES, axis=(1, 2, 3))
    assert_array_equal(changed, UNIFORM[:, 7] < 0.5)


@pytest.mark.parametrize(
    ("right", "moves"), [(1.0, 1), (0.85, 1), (0.75, -1), (0.0, -1)], ids=lambda each: str(each)
)
def test_the_probability_follows_how_sure_d_is(right, moves):
    """E[sign] is 2 * right - 1: 0.7 and 0.5 are on either side of 0.6."""
    layer = Augmentation(["color"], target=0.6)
    layer.probability.assign(0.5)
    d_real = tf.where(tf.range(100) < round(100 * right), 0.9, 0.1)[:, None]
    layer.adapt(d_real)
    assert_allclose(layer.probability, 0.5 + moves * 100 / augmentation.RISE, rtol=1e-6)


def test_the_probability_leaves_real_images_to_be_seen_as_they_are():
    layer = Augmentation(["color"], target=0.6)
    layer.adapt(tf.zeros((10, 1)))
    assert float(layer.probability) == 0.0
    layer.probability.assign(0.79999)
    layer.adapt(tf.ones((10, 1)))
    assert_allclose(layer.probability, 0.8, rtol=1e-6)
