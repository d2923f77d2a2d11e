import itertools

import numpy as np
import pytest
import tensorflow as tf

from gan_keras.data import order


def numbers(first, n, count, seed=0):
    return order.image_numbers(tf.range(first, first + n, dtype=tf.int64), count, seed).numpy()


@pytest.mark.parametrize("count", [1, 2, 3, 16, 1000, 1797])
def test_an_epoch_is_a_permutation(count):
    epochs = numbers(0, 3 * count, count).reshape(3, count)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), [range(count)] * 3)


def test_epochs_and_seeds_have_their_own_order():
    epochs = numbers(0, 300, 100).reshape(3, 100)
    assert (epochs[0] != epochs[1]).any()
    assert (epochs[1] != epochs[2]).any()
    assert (numbers(0, 100, 100, seed=1) != epochs[0]).any()


@pytest.mark.parametrize("first", [0, 1, 99, 100, 250, 2**40])
def test_a_position_has_the_same_image_wherever_the_batch_begins(first):
    whole = numbers(first, 64, 100, seed=2**31 - 1)
    parts = [numbers(first + start, n, 100, seed=2**31 - 1) for start, n in ((0, 1), (1, 63))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_order_is_as_irregular_as_a_random_one():
    """Of 60,000 images, epochs and neighbours are as independent as random permutations are.

    The correlation of two random permutations has standard deviation 1 / sqrt(60000) = 0.004;
    TensorFlow's `index_shuffle` with its four rounds has correlations up to 0.9.
    """
    count = 60_000
    epochs = numbers(0, 6 * count, count).reshape(6, count).astype(float)
    between = [np.corrcoef(a, b)[0, 1] for a, b in itertools.pairwise(epochs)]
    neighbours = [np.corrcoef(epoch[:-1], epoch[1:])[0, 1] for epoch in epochs]
    from_identity = [np.corrcoef(epoch, np.arange(count))[0, 1] for epoch in epochs]
    np.testing.assert_allclose(between + neighbours + from_identity, 0, atol=5 * 0.0041)


@pytest.mark.parametrize(("workers", "replicas"), [(1, 1), (1, 4), (2, 2), (4, 1)])
@pytest.mark.parametrize("per_step", [1, 3])
def test_shares_are_together_the_batch_in_its_order(workers, replicas, per_step):
    """Replica r of all has rows r * 2 to r * 2 + 2 of each of a step's batches of 8."""
    size, step = 8, 5
    rows = size // (workers * replicas)
    parts = [
        order.positions(
            tf.constant(step * replicas + replica, tf.int64),
            size,
            per_step,
            (worker, workers, replicas),
        )
        .numpy()
        .reshape(per_step, rows)
        for worker in range(workers)
        for replica in range(replicas)
    ]
    whole = step * per_step * size + np.arange(per_step * size).reshape(per_step, size)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
