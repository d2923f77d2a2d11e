"""Clusters of training processes on this machine, for tests."""

import contextlib
import json
import os
import subprocess
import sys

from tests.conftest import ON_CPU
from tests.ports import held_ports

SCRIPT = "import sys; from gan_keras.cli.train import run; sys.exit(run())"
# The same, each worker on two logical devices.
SCRIPT_OF_TWO = (
    "import sys; from gan_keras.cli import flags, train; flags.import_tensorflow(); "
    "from tests.workers import let_workers_have; let_workers_have(2); sys.exit(train.run())"
)


def let_workers_have(count):
    """Gives MultiWorkerMirroredStrategy so many logical CPUs in this process.

    TensorFlow gives each worker all of its GPUs, but of CPUs only the first.
    """
    import tensorflow as tf
    from tensorflow.python.distribute import collective_all_reduce_strategy as module

    one = tf.config.LogicalDeviceConfiguration()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [one] * count)

    def local_devices(self, resolver, worker):
        return tuple(f"{worker}/device:CPU:{i}" for i in range(count)), "CPU"

    module.CollectiveAllReduceExtended._initialize_local_devices = local_devices


def environments(count):
    """TF_CONFIG of each worker."""
    addresses = [f"127.0.0.1:{port}" for port in held_ports(count)]
    return [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(count)
    ]


@contextlib.contextmanager
def cluster(count, *flags, folders=(), script=SCRIPT):
    """Starts so many workers with the same flags; none outlives the test.

    Args:
        folders: --workdir of each, if they do not share one that the flags name.
        script: What each runs.
    """
    own = [[f"--workdir={folder}"] for folder in folders] or [[]] * count
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, *map(str, flags), *more],
            env={**os.environ, **ON_CPU, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment, more in zip(environments(count), own, strict=True)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def finish(processes, timeout=500):
    """Waits for all; asserts that all went well; returns what they printed."""
    outputs = [process.communicate(timeout=timeout) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs
    return [out for out, _ in outputs]
