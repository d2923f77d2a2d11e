"""One thread's prediction is not another's to cancel."""

import threading

import pytest
import tensorflow as tf

from gan_keras.serving.cancellation import CancellationManager, cancelled_by

PATIENCE = 120  # seconds; reached only where a test fails


@pytest.fixture(scope="module")
def spin():
    """A graph that loops so many times."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)])
    def loop(turns):
        return tf.while_loop(lambda done: done < turns, lambda done: [done + 1], [tf.int64.min])

    return loop.get_concrete_function()


def test_a_manager_is_its_own_threads(spin):
    inside, go_on = threading.Event(), threading.Event()
    manager, ended = CancellationManager(), []

    def predict():
        with cancelled_by(manager):
            inside.set()
            assert go_on.wait(PATIENCE)
            try:
                spin(tf.int64.max)
            except tf.errors.CancelledError as error:
                ended.append(error)

    thread = threading.Thread(target=predict, daemon=True)
    thread.start()
    assert inside.wait(PATIENCE)
    # A call beside it begins and ends, under a manager and under none.
    with cancelled_by(CancellationManager()):
        spin(tf.int64.min + 3)
    manager.start_cancel()
    spin(tf.int64.min + 3)
    go_on.set()
    thread.join(PATIENCE)
    assert len(ended) == 1
