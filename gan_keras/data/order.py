"""The order of the images: a new permutation every epoch, computed and never stored."""

import tensorflow as tf

# `tf.random.experimental.index_shuffle` always runs 4 rounds of its cipher: of 60,000 images
# that leaves consecutive epochs with a correlation of 0.9. With 8 rounds and hashed keys the
# order already has the statistics of numpy's permutations.
ROUNDS = 16
PHILOX = 1  # tf.random.Algorithm.PHILOX: named, because the default depends on the device.
WHOLE = (0, 1, 1)  # A share that is all of it.


def positions(element, batch_size, per_step=1, share=WHOLE):
    """Where in the stream the images of an element of a dataset stand.

    Step s takes `per_step` batches from position s * per_step * batch_size on. Replica r of R, over
    all workers, takes the rows from r * batch_size / R on of each of them; its elements are those
    of its worker, in turn with the worker's other replicas.

    Args:
        element: Integer tensor: step * replicas + number of the replica in its worker.
        batch_size: Images per batch, over all replicas.
        per_step: Batches per step.
        share: (worker, workers, replicas of each worker).

    Returns:
        (per_step * batch_size / R,) int64, ascending.
    """
    worker, workers, replicas = share
    rows = batch_size // (workers * replicas)
    step, replica = element // replicas, element % replicas
    first = step * per_step * batch_size + (worker * replicas + replica) * rows
    batches = tf.range(per_step, dtype=tf.int64)[:, tf.newaxis] * batch_size
    return tf.reshape(first + batches + tf.range(rows, dtype=tf.int64), [per_step * rows])


def image_numbers(positions, count, seed):
    """Which image stands at each position of the endless stream.

    Position p belongs to epoch p // count; within an epoch every image occurs exactly once.

    Args:
        positions: (n,) int64, >= 0, ascending, n >= 1.
        count: Images in the data set, >= 1.
        seed: Integer >= 0; another one gives other orders.

    Returns:
        (n,) int64 in [0, count), a pure function of the arguments.
    """
    epochs = positions // count
    first = epochs[0]
    return tf.raw_ops.RandomIndexShuffle(
        index=positions % count,
        seed=tf.gather(_keys(seed, first, epochs[-1] - first + 1), epochs - first),
        max_index=tf.fill(tf.shape(positions), tf.constant(count - 1, tf.int64)),
        rounds=ROUNDS,
    )


def _keys(seed, first, n):
    """Keys of n epochs from the first on: (n, 3) int32, a row depends on (seed, epoch) only."""
    # Philox makes four int32 of each value of its counter, which is the epoch here.
    bits = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[n, 4],
        key=tf.constant([seed], tf.uint64),
        counter=tf.stack([tf.cast(first, tf.uint64), tf.constant(0, tf.uint64)]),
        alg=PHILOX,
        dtype=tf.int32,
    )
    return bits[:, :3]
