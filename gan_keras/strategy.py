"""From `--strategy` to a `tf.distribute` strategy."""

import json
import os

import tensorflow as tf

from gan_keras.errors import UsageError


def build(name, batch_size):
    """Returns the strategy of that name.

    `auto` is multi_worker where TF_CONFIG names a cluster, mirrored where there are several
    GPUs, and one_device otherwise.

    Args:
        name: auto, one_device, mirrored or multi_worker.
        batch_size: The global batch, which all replicas share.

    Raises:
        UsageError: TF_CONFIG does not fit, or the batch cannot be divided evenly.
    """
    if name == "auto":
        name = _automatic()
    strategy = _STRATEGIES[name]()
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UsageError(
            f"--batch_size={batch_size}: cannot be shared evenly by {replicas} devices; "
            f"give a multiple of {replicas}"
        )
    return strategy


def is_alone(strategy):
    """Whether this process trains by itself, on however many devices."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.task_type


def is_chief(strategy):
    """Whether this process is the one that writes files: the only one, or worker 0."""
    return is_alone(strategy) or _rank(strategy.cluster_resolver) == 0


def _rank(resolver):
    if resolver.task_type == "chief":
        return 0
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
    return chiefs + resolver.task_id


def _automatic():
    if "TF_CONFIG" in os.environ:  # Asked first: a cluster must be set up before any device.
        return "multi_worker"
    return "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "one_device"


def _one_device():
    device = "GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0"
    return tf.distribute.OneDeviceStrategy(device)


def _mirrored():
    # Left to itself it takes the first CPU only, where there is no GPU.
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _multi_worker():
    text = os.environ.get("TF_CONFIG", "")
    try:
        cluster = json.loads(text)
        cluster["cluster"]["worker"], cluster["task"]["type"], cluster["task"]["index"]
    except (ValueError, TypeError, KeyError):
        raise UsageError(
            f"TF_CONFIG={text!r}: --strategy=multi_worker needs a JSON object with "
            '"cluster": {"worker": [addresses]} and "task": {"type", "index"}'
        ) from None
    return tf.distribute.MultiWorkerMirroredStrategy()


_STRATEGIES = {"one_device": _one_device, "mirrored": _mirrored, "multi_worker": _multi_worker}
