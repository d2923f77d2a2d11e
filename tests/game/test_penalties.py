"""Penalties against finite differences in float64, through our own gradients of layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from gan_keras import networks
from gan_keras.game import GAN, penalties
from gan_keras.networks import convolution

RANDOM = np.random.default_rng(1)
IMAGES = tf.constant(RANDOM.normal(size=(3, 8, 8, 2)))
KERNELS = [tf.Variable(RANDOM.normal(size=(4, 4, *sizes))) for sizes in ((2, 3), (3, 2))]
BIAS = tf.Variable(RANDOM.normal(size=3))


def judge(images):
    """A smooth D: what `HalvingConv2D` computes, with a tanh between."""
    hidden = tf.tanh(convolution.add_bias(convolution.halve(images, KERNELS[0]), BIAS) / 5)
    return tf.reduce_sum(tf.sin(convolution.halve(hidden, KERNELS[1])), axis=(1, 2, 3))[:, None]


def test_the_penalty_is_half_the_squared_slope():
    step, count = 1e-5, IMAGES[0].shape.num_elements()
    slopes = np.empty((3, count))
    for i in range(count):
        shift = step * np.eye(count)[i].reshape(1, 8, 8, 2)
        slopes[:, i] = ((judge(IMAGES + shift) - judge(IMAGES - shift)) / (2 * step)).numpy()[:, 0]
    found = penalties.zero_centred(judge, IMAGES).numpy()
    assert_allclose(found, 0.5 * np.sum(slopes**2, axis=1), rtol=1e-7)


def test_its_gradients_are_right_through_the_layers_with_gradients_of_their_own():
    variables = [*KERNELS, BIAS]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(penalties.zero_centred(judge, IMAGES))
    gradients = tape.gradient(loss, variables)
    step = 1e-5
    for variable, gradient in zip(variables, gradients, strict=True):
        direction = RANDOM.normal(size=variable.shape)
        ends = []
        for sign in (1, -1):
            variable.assign_add(sign * step * direction)
            ends.append(float(tf.reduce_sum(penalties.zero_centred(judge, IMAGES))))
            variable.assign_sub(sign * step * direction)
        expected = (ends[0] - ends[1]) / (2 * step)
        assert_allclose(np.sum(gradient * direction), expected, rtol=1e-6)


def discriminator(network, dtype, precision="float32"):
    """A conditional D of 8 pixels, the same for every type of its weights, `dtype`."""
    _, built = networks.build(
        network, shape=(8, 8, 2), latent_dim=3, width=8, seed=0, precision=precision, classes=3
    )
    # As after training: no kernel is 0, and no block the identity.
    random = np.random.default_rng(4)
    built.set_weights([w + random.normal(0, 0.05, w.shape) for w in built.get_weights()])
    if dtype == "float32":
        return built

    def wide(layer):
        return type(layer).from_config(layer.get_config() | {"dtype": dtype})

    # Inputs too: Keras casts to their type, and rounds the slopes on the way back.
    inputs = [keras.Input((8, 8, 2), dtype=dtype), keras.Input((), dtype="int64")]
    copy = keras.models.clone_model(built, input_tensors=inputs, clone_function=wide)
    copy.set_weights(built.get_weights())
    return copy


def gradients_of(model):
    images = tf.cast(IMAGES, model.weights[0].dtype)
    labels = tf.constant([0, 2, 1], tf.int64)
    with tf.GradientTape() as tape:
        found = penalties.zero_centred(lambda x: model([x, labels], training=True), images)
        loss = tf.reduce_mean(found)
    # A bias of the last layer has none: it changes no slope.
    zero = tf.UnconnectedGradients.ZERO
    variables = [each.value for each in model.trainable_variables]
    gradients = tape.gradient(loss, variables, unconnected_gradients=zero)
    return float(loss), [np.asarray(each, "float64") for each in gradients]


@pytest.mark.parametrize("network", ["plain", "residual"])
def test_whole_networks_have_the_right_second_derivatives(network):
    """Along a random direction in which each weight tensor has about the same share."""
    model = discriminator(network, "float64")
    _, gradients = gradients_of(model)
    step, random = 1e-7, np.random.default_rng(2)
    before, ends = model.get_weights(), []
    directions = [
        random.normal(size=gradient.shape) / (np.linalg.norm(gradient) or 1.0)
        for gradient in gradients
    ]
    for sign in (1, -1):
        moved = zip(before, directions, strict=True)
        model.set_weights([weight + sign * step * direction for weight, direction in moved])
        ends.append(gradients_of(model)[0])
    shares = [np.sum(g * d) for g, d in zip(gradients, directions, strict=True)]
    # Biases move the kinks of the leaky units, and change no slope elsewhere.
    assert all(share for share, weight in zip(shares, before, strict=True) if weight.ndim > 1)
    assert_allclose(np.sum(shares), (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network", ["plain", "residual"])
@pytest.mark.parametrize(("precision", "bound"), [("float32", 1e-5), ("bfloat16", 0.1)])
def test_penalties_of_mixed_precision_are_those_of_float64(network, precision, bound):
    """The angle between the gradients.

    The bound in bfloat16 is for a dozen of its roundings, 2^-8, and for units that these put on
    the other side of their kink; a wrong gradient is off by about 1.
    """
    exact = gradients_of(discriminator(network, "float64"))[1]
    rounded = gradients_of(discriminator(network, "float32", precision))[1]
    exact, rounded = (np.concatenate([np.ravel(g) for g in each]) for each in (exact, rounded))
    assert 0 < np.linalg.norm(exact - rounded) < bound * np.linalg.norm(exact)


def test_a_discriminator_with_batch_statistics_is_refused_in_one_line():
    pair = networks.build("dcgan", shape=(16, 16, 1), latent_dim=3, width=4, seed=0)
    GAN(*pair)
    with pytest.raises(ValueError, match=r"^a penalty needs .* by the batch; ") as caught:
        GAN(*pair, r2_weight=0.1)
    assert "\n" not in str(caught.value)
