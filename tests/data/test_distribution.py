"""Each replica gets its own rows of the global batch, and together they get all of them."""

import json
import socket
import subprocess
import sys
import textwrap

import numpy as np
import pytest

PREPARE = """
    import json, sys
    import numpy as np
    import tensorflow as tf
    from gan_keras.data import batches, storage
    from gan_keras.distribution import strategy as strategies

    def images():
        number = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1)
        return batches.Images("numbered", storage.Memory(number))

    def two_devices():
        tf.config.set_visible_devices([], "GPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)

    def rows(strategy, per_step, steps=6):
        def make(**share):
            return images().batches(8, 3, start=2, per_step=per_step, **share)

        dataset = strategies.distribute(strategy, make)
        if isinstance(dataset, tf.data.Dataset):
            dataset = strategy.experimental_distribute_dataset(dataset)  # As `fit` does.
        iterator = iter(dataset)
        result = []
        for _ in range(steps):
            step = next(iterator)
            step = step if isinstance(step, tuple) else (step,)
            result.append([
                [np.rint((local.numpy().ravel() + 1) * 127.5).astype(int).tolist()
                 for local in strategy.experimental_local_results(batch)]
                for batch in step
            ])
        return result  # (step, batch of the step, local replica, row)

    def whole(per_step):
        dataset = images().batches(8, 3, start=2, per_step=per_step).take(6)
        return [
            [np.rint((b.numpy().ravel() + 1) * 127.5).astype(int).tolist()
             for b in (step if isinstance(step, tuple) else (step,))]
            for step in dataset
        ]
"""


def script(code):
    return textwrap.dedent(PREPARE) + textwrap.dedent(code)


def start(code, *arguments, **environment):
    import os

    code = script(code)
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", **environment},
    )


def answer(process):
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def test_mirrored_replicas_share_each_batch_in_order(forks):
    printed = forks.script(
        script("""
            two_devices()
            strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
            print(json.dumps([[rows(strategy, k), whole(k)] for k in (1, 3)]))
        """)
    )
    for shared, whole in json.loads(printed):
        together = np.array(shared)  # (step, batch, replica, row)
        assert together.shape[2:] == (2, 4)
        np.testing.assert_array_equal(together.reshape(*together.shape[:2], 8), whole)


@pytest.mark.faults
def test_workers_of_two_devices_share_each_batch_in_order():
    """A worker has one CPU in TensorFlow, and as many GPUs as there are: here it has two CPUs."""
    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        workers = [f"127.0.0.1:{s.getsockname()[1]}" for s in (a, b)]
    code = """
        from tests.workers import let_workers_have
        let_workers_have(2)
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        print(json.dumps([[rows(strategy, k), whole(k)] for k in (1, 3)]))
    """
    processes = [
        start(
            code,
            TF_CONFIG=json.dumps(
                {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            ),
        )
        for index in range(2)
    ]
    try:
        answers = [answer(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for (first, whole), (second, _) in zip(*answers, strict=True):
        together = np.concatenate([np.array(first), np.array(second)], axis=2)
        assert together.shape[2:] == (4, 2)
        np.testing.assert_array_equal(together.reshape(*together.shape[:2], 8), whole)
