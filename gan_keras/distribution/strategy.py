"""From `--strategy` to a `tf.distribute` strategy."""

import os

import tensorflow as tf

from gan_keras.distribution import cluster as clusters
from gan_keras.errors import UsageError

# What each can add gradients up with; `auto` is NCCL on GPUs and a ring on CPUs with both.
CROSS_DEVICE_OPS = {
    "one_device": ("auto",),
    "mirrored": ("auto", "nccl", "hierarchical_copy", "reduction_to_one"),
    "multi_worker": ("auto", "nccl", "ring"),
}


def build(
    name,
    batch_size,
    cross_device_ops="auto",
    virtual_devices=0,
    cluster_timeout=300,
):
    """Returns the strategy of that name.

    `auto` is multi_worker where TF_CONFIG names a cluster, mirrored where there are several
    devices, and one_device otherwise.

    Args:
        name: auto, one_device, mirrored or multi_worker.
        batch_size: The global batch, which all replicas share.
        cross_device_ops: How gradients are added up: auto, nccl, ring, hierarchical_copy or
            reduction_to_one.
        virtual_devices: Devices to make of the CPU; 0 leaves it as it is.
        cluster_timeout: Seconds in which all workers of a cluster have to answer.

    Raises:
        UsageError: these do not go together, TF_CONFIG does not fit, or the batch cannot be
            divided evenly.
        UserError: a worker of the cluster does not answer.
    """
    if name == "auto":
        name, _ = _automatic(virtual_devices)
    if cross_device_ops not in CROSS_DEVICE_OPS[name]:
        raise UsageError(
            f"--cross_device_ops={cross_device_ops}: --strategy={name} cannot use it; "
            f"choose from {', '.join(CROSS_DEVICE_OPS[name])}"
        )
    if virtual_devices:
        _check_virtual(virtual_devices, name)
    if name == "multi_worker":
        cluster = clusters.from_environment()
        _check_batch(batch_size, len(cluster.addresses), "workers")  # Before anybody waits.
        if cluster.others:
            clusters.meet(cluster, cluster_timeout)
    if virtual_devices:
        _make_virtual(virtual_devices)
    # Not before: in a cluster nothing may have asked for devices yet.
    if cross_device_ops == "nccl" and (why := _without_nccl()):
        raise UsageError(f"--cross_device_ops=nccl: {why}; use auto")
    strategy = _STRATEGIES[name](cross_device_ops)
    _check_batch(batch_size, strategy.num_replicas_in_sync, "devices")
    return strategy


def describe(strategy, name, batch_size, cross_device_ops="auto", virtual_devices=0):
    """Returns a strategy for a person to read: what was chosen, why, and the share of each.

    Args:
        strategy: What `build` returned.
        name, batch_size, cross_device_ops, virtual_devices: What it was asked for.
    """
    replicas = strategy.num_replicas_in_sync
    text = f"{replicas} {kind(strategy)} replica{'s' if replicas > 1 else ''} "
    text += f"({type(strategy).__name__}"
    if name == "auto":
        chosen, why = _automatic(virtual_devices)
        text += f", --strategy={chosen} {why}"
    text += ")"
    if replicas > 1:
        text += f", {batch_size // replicas} of {batch_size} examples each"
        text += f", gradients added up by {_added_up_by(strategy, cross_device_ops)}"
    return text


def kind(strategy):
    """What a strategy computes on: `GPU` or `CPU`."""
    return "GPU" if "GPU" in strategy.extended.worker_devices[0] else "CPU"


def distribute(strategy, make):
    """Returns the batches of a run, for `fit` with this strategy.

    In a cluster every worker reads its own rows of each batch; left to itself TensorFlow lets
    each read all of them, and drop the others.

    Args:
        strategy: What `build` returned.
        make: Makes a tf.data.Dataset; called without arguments, or with `share`, a triple as of
            `data.Images.batches`.
    """
    if is_alone(strategy):
        return make()

    def of_worker(context):
        workers = context.num_input_pipelines
        replicas = context.num_replicas_in_sync // workers
        return make(share=(context.input_pipeline_id, workers, replicas))

    return strategy.distribute_datasets_from_function(of_worker)


def _added_up_by(strategy, cross_device_ops):
    """How gradients are added up, and why not by NCCL where one would expect that."""
    if cross_device_ops != "auto":
        return cross_device_ops
    if kind(strategy) == "CPU":
        return "ring"
    if why := _without_nccl():
        is_cluster = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        return f"{'ring' if is_cluster else 'reduction_to_one'} ({why})"
    return "nccl"


def _without_nccl():
    """Why NCCL cannot be used here, None if it can."""
    gpus = tf.config.get_visible_devices("GPU")
    if not gpus:
        return "NCCL adds up on GPUs, and there is none"
    build = tf.sysconfig.get_build_info()
    if not (build.get("is_cuda_build") or build.get("is_rocm_build")):
        return "this TensorFlow was built without NCCL"
    # More than one device of a card: NCCL takes each card once.
    logical = [tf.config.get_logical_device_configuration(gpu) or [None] for gpu in gpus]
    if any(len(each) > 1 for each in logical):
        return "NCCL takes each GPU once, and here one is several"
    return None


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


def _automatic(virtual_devices):
    """Returns the strategy that fits, and why, as words that follow it."""
    # Asked first: a cluster must be set up before any device.
    if clusters.VARIABLE in os.environ:
        return "multi_worker", f"for the cluster of {clusters.VARIABLE}"
    if virtual_devices:
        return "mirrored", f"for --virtual_devices={virtual_devices}"
    # Not the logical ones: to ask for those would set them up.
    gpus = len(tf.config.get_visible_devices("GPU"))
    if gpus > 1:
        return "mirrored", f"for {gpus} GPUs"
    return "one_device", "for one GPU" if gpus else "since there is no GPU"


def _check_batch(batch_size, count, what):
    if batch_size % count:
        raise UsageError(
            f"--batch_size={batch_size}: cannot be shared evenly by {count} {what}; "
            f"give a multiple of {count}"
        )


def _check_virtual(count, name):
    flag = f"--virtual_devices={count}"
    if name != "mirrored":
        raise UsageError(f"{flag}: --strategy={name} uses one CPU; use --strategy=mirrored")
    if count < 2:
        raise UsageError(f"{flag}: must be at least 2, or 0 for none")
    if tf.config.get_visible_devices("GPU"):
        raise UsageError(f"{flag}: is for machines without a GPU, and there is one; use 0")


def _make_virtual(count):
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * count
    if tf.config.get_logical_device_configuration(cpu) == devices:
        return
    try:
        tf.config.set_logical_device_configuration(cpu, devices)
    except RuntimeError:
        raise UsageError(
            f"--virtual_devices={count}: the devices of this process are set up; start a new one"
        ) from None


def _one_device(cross_device_ops):
    device = "GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0"
    return tf.distribute.OneDeviceStrategy(device)


def _mirrored(cross_device_ops):
    # Left to itself it takes the first CPU only, where there is no GPU.
    gpus = tf.config.list_logical_devices("GPU")
    devices = gpus or tf.config.list_logical_devices("CPU")
    if gpus and cross_device_ops == "auto" and _without_nccl():
        cross_device_ops = "reduction_to_one"
    make = {
        "nccl": tf.distribute.NcclAllReduce,
        "hierarchical_copy": tf.distribute.HierarchicalCopyAllReduce,
        "reduction_to_one": tf.distribute.ReductionToOneDevice,
    }.get(cross_device_ops, lambda: None)
    return tf.distribute.MirroredStrategy([device.name for device in devices], make())


def _multi_worker(cross_device_ops):
    if cross_device_ops == "auto" and tf.config.get_visible_devices("GPU"):
        cross_device_ops = "ring" if _without_nccl() else "nccl"
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=tf.distribute.experimental.CommunicationImplementation[
            cross_device_ops.upper()
        ]
    )
    return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)


_STRATEGIES = {"one_device": _one_device, "mirrored": _mirrored, "multi_worker": _multi_worker}
