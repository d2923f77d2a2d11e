"""The paper's MNIST networks: layers, start and dropout, each against a plain computation."""

import numpy as np
import tensorflow as tf

from gan_keras import networks
from gan_keras.networks import maxout

SHAPE = (28, 28, 1)


def build(width=1200, seed=0):
    return networks.build("maxout", shape=SHAPE, latent_dim=100, width=width, seed=seed)


def test_sizes_are_those_of_the_paper():
    """Statement for statement: 1200, 1200, 784; and two layers of 240 units of 5 pieces."""
    generator, discriminator = build()
    assert generator.count_params() == 101 * 1200 + 1201 * 1200 + 1201 * 784
    counts = 3  # Of the draws of the dropout layers, which checkpoints hold.
    assert discriminator.count_params() == 785 * 1200 + 241 * 1200 + 241 + counts


def test_initial_weights_fill_their_ranges():
    for network, bound in zip(build(), (0.05, 0.005), strict=True):
        for weight in network.trainable_variables:
            if weight.name == "kernel":
                values = weight.numpy()
                # The chance that none of n >= 240 draws passes 0.97 of the bound is below 1e-3;
                # the seed is fixed, so this is one draw, which passed.
                assert bound * 0.97 < np.abs(values).max() <= bound
            else:
                assert not weight.numpy().any()


def test_generator_starts_at_the_mean_of_the_data():
    generator, _ = build(width=5)
    mean = np.random.default_rng(0).uniform(-0.9, 0.9, SHAPE)
    mean[0, 0, 0] = -1.0  # A pixel that is always paper must not make the bias infinite.
    maxout.start_from(generator, mean)
    for layer in generator.layers[1:3]:
        layer.kernel.assign(tf.zeros_like(layer.kernel))
    images = generator(np.ones((1, 100), "float32")).numpy()[0]
    np.testing.assert_allclose(images, mean, atol=1e-6)


def test_maxout_is_the_largest_of_its_pieces():
    layer = maxout.Maxout(units=3, pieces=2)
    inputs = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    outputs = layer(inputs).numpy()
    kernel, bias = (weight.numpy() for weight in layer.trainable_weights)
    pieces = [inputs @ kernel[:, j : j + 3] + bias[j : j + 3] for j in (0, 3)]
    np.testing.assert_allclose(outputs, np.maximum(*pieces), rtol=1e-6)
    again = maxout.Maxout.from_config(layer.get_config())
    assert (again.units, again.pieces) == (3, 2)


def test_dropout_keeps_as_many_as_it_says_and_the_mean():
    layer = maxout.RowDropout(0.2, seed=1)
    ones = np.ones((100, 500), "float32")
    outputs = layer(ones, training=True).numpy()
    assert set(np.unique(outputs)) == {0.0, np.float32(1 / 0.8)}
    # 50,000 draws: a standard deviation of 0.0018, of which five.
    assert abs((outputs > 0).mean() - 0.8) < 0.009
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    assert np.any(layer(ones, training=True).numpy() != outputs)
