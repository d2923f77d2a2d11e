"""Clusters of training processes on this machine, for tests."""

import contextlib
import json
import os
import subprocess
import sys

from tests.ports import held_ports

SCRIPT = "import sys; from gan_keras.cli.train import run; sys.exit(run())"


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
def cluster(count, *flags, folders=()):
    """Starts so many workers with the same flags; none outlives the test.

    Args:
        folders: --workdir of each, if they do not share one that the flags name.
    """
    own = [[f"--workdir={folder}"] for folder in folders] or [[]] * count
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *map(str, flags), *more],
            env={**os.environ, **environment},
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
