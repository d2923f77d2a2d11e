"""From flags and environment to a strategy; what does not fit is told in one line."""

import json
from types import SimpleNamespace

import pytest
import tensorflow as tf

from gan_keras.config import config as configs
from gan_keras.distribution import strategy
from gan_keras.errors import UsageError


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)


def test_auto_is_one_device_where_there_is_one():
    if len(tf.config.list_logical_devices("GPU")) > 1:
        pytest.skip("there are several GPUs here")
    built = strategy.build("auto", 7)
    assert isinstance(built, tf.distribute.OneDeviceStrategy)
    assert strategy.is_alone(built)
    assert strategy.is_chief(built)


def test_mirrored_takes_every_device():
    built = strategy.build("mirrored", 8)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    assert built.num_replicas_in_sync == len(devices)
    assert strategy.is_chief(built)


def test_a_batch_that_cannot_be_shared_evenly_is_refused(monkeypatch):
    three = SimpleNamespace(num_replicas_in_sync=3)
    monkeypatch.setitem(strategy._STRATEGIES, "mirrored", lambda ops: three)
    with pytest.raises(UsageError, match=r"--batch_size=64: .* 3 devices; give a multiple of 3"):
        strategy.build("mirrored", 64)
    assert strategy.build("mirrored", 63) is three


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "{}", '{"cluster": {}, "task": {}}', '{"cluster": {"worker": ["a:1"]}}'],
)
def test_a_cluster_that_is_none_is_named(text, monkeypatch):
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UsageError) as caught:
        strategy.build("multi_worker", 64)
    message = str(caught.value)
    assert message.startswith("TF_CONFIG=")
    assert '"cluster"' in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "chief"),
    [
        ({"worker": ["a:1", "b:1"]}, "worker", 0, True),
        ({"worker": ["a:1", "b:1"]}, "worker", 1, False),
        ({"chief": ["a:1"], "worker": ["b:1"]}, "chief", 0, True),
        ({"chief": ["a:1"], "worker": ["b:1"]}, "worker", 0, False),
    ],
)
def test_one_process_is_the_chief(cluster, kind, index, chief, monkeypatch):
    config = {"cluster": cluster, "task": {"type": kind, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    built = SimpleNamespace(cluster_resolver=resolver)
    assert not strategy.is_alone(built)
    assert strategy.is_chief(built) is chief


@pytest.mark.parametrize(
    ("name", "ops"),
    [
        ("one_device", "nccl"),
        ("mirrored", "ring"),
        ("multi_worker", "hierarchical_copy"),
        ("multi_worker", "reduction_to_one"),
    ],
)
def test_what_cannot_add_up_there_is_refused(name, ops):
    with pytest.raises(UsageError, match=f"^--cross_device_ops={ops}: --strategy={name} cannot"):
        strategy.build(name, 8, cross_device_ops=ops)


def test_every_way_to_add_up_belongs_to_a_strategy():
    named = {ops for several in strategy.CROSS_DEVICE_OPS.values() for ops in several}
    assert named == set(configs.CROSS_DEVICE_OPS)
    assert {"auto", *strategy.CROSS_DEVICE_OPS} == set(configs.STRATEGIES)


@pytest.mark.parametrize("gpus", [0, 1, 3])
def test_nccl_needs_gpus(gpus, monkeypatch):
    made = SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"] * gpus)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["gpu"] * gpus)
    monkeypatch.setattr(tf.config, "get_logical_device_configuration", lambda gpu: None)
    monkeypatch.setitem(strategy._STRATEGIES, "mirrored", lambda ops: made)
    if gpus:
        assert strategy.build("mirrored", 8, "nccl") is made
    else:
        with pytest.raises(UsageError, match=r"--cross_device_ops=nccl: .* there is none"):
            strategy.build("mirrored", 8, "nccl")


@pytest.mark.parametrize(
    ("gpus", "virtual", "chosen"),
    [
        (0, 0, ("one_device", "since there is no GPU")),
        (1, 0, ("one_device", "for one GPU")),
        (4, 0, ("mirrored", "for 4 GPUs")),
        (0, 2, ("mirrored", "for --virtual_devices=2")),
    ],
)
def test_what_auto_chooses_and_why(gpus, virtual, chosen, monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["gpu"] * gpus)
    assert strategy._automatic(virtual) == chosen
    monkeypatch.setenv("TF_CONFIG", "{}")
    assert strategy._automatic(virtual) == ("multi_worker", "for the cluster of TF_CONFIG")


@pytest.mark.parametrize(
    ("name", "count", "gpus", "said"),
    [
        ("one_device", 2, 0, "--strategy=one_device uses one CPU"),
        ("multi_worker", 2, 0, "--strategy=multi_worker uses one CPU"),
        ("mirrored", 1, 0, "must be at least 2"),
        ("auto", 2, 1, "is for machines without a GPU"),
    ],
)
def test_virtual_devices_that_cannot_be_are_refused(name, count, gpus, said, monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["gpu"] * gpus)
    with pytest.raises(UsageError, match=f"^--virtual_devices={count}: .*{said}"):
        strategy.build(name, 8, virtual_devices=count)


def test_virtual_devices_come_before_all_others():
    tf.config.list_logical_devices()  # Sets them up.
    with pytest.raises(UsageError, match="--virtual_devices=5: the devices of this process are"):
        strategy.build("mirrored", 10, virtual_devices=5)


def test_a_batch_that_workers_cannot_share_is_refused_before_any_waits(monkeypatch):
    config = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(UsageError, match=r"--batch_size=7: .* 2 workers; give a multiple of 2"):
        strategy.build("multi_worker", 7)


def test_one_device_is_described_in_few_words():
    built = strategy.build("one_device", 7)
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    assert strategy.describe(built, "one_device", 7) == f"1 {kind} replica (OneDeviceStrategy)"


@pytest.fixture
def gpus(monkeypatch):
    """Lets there be GPUs, each of so many logical devices, and a TensorFlow with NCCL or not."""

    def set_to(*logical, cuda=True):
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: list(logical))
        ask = "get_logical_device_configuration"
        monkeypatch.setattr(tf.config, ask, lambda count: [None] * count if count else None)
        monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": cuda})

    return set_to


def test_several_are_described_with_their_shares(gpus):
    gpus(0, 0, 0, 0)
    extended = SimpleNamespace(worker_devices=["/job:worker/task:0/device:GPU:0"])
    built = SimpleNamespace(num_replicas_in_sync=4, extended=extended)
    assert strategy.describe(built, "mirrored", 64) == (
        "4 GPU replicas (SimpleNamespace), 16 of 64 examples each, gradients added up by nccl"
    )
    assert "added up by reduction_to_one" in strategy.describe(
        built, "mirrored", 64, "reduction_to_one"
    )


@pytest.mark.parametrize(
    ("logical", "cuda", "said"),
    [
        ((0, 1), False, "this TensorFlow was built without NCCL"),
        ((2,), True, "NCCL takes each GPU once"),
    ],
)
def test_the_absence_of_nccl_is_said(logical, cuda, said, gpus, monkeypatch):
    gpus(*logical, cuda=cuda)
    with pytest.raises(UsageError, match=f"^--cross_device_ops=nccl: {said}.*; use auto$"):
        strategy.build("mirrored", 8, "nccl")
    extended = SimpleNamespace(worker_devices=["/device:GPU:0"])
    built = SimpleNamespace(num_replicas_in_sync=2, extended=extended)
    line = strategy.describe(built, "mirrored", 8)
    assert f"gradients added up by reduction_to_one ({said}" in line


@pytest.mark.parametrize(("cuda", "made"), [(True, "none"), (False, "reduction_to_one")])
def test_what_mirrored_adds_up_by_on_gpus(cuda, made, gpus, monkeypatch):
    """TensorFlow's own choice is NCCL, whether there is one or not."""
    gpus(0, 0, cuda=cuda)
    device = SimpleNamespace(name="/device:GPU:0")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [device] * 2)
    monkeypatch.setattr(tf.distribute, "ReductionToOneDevice", lambda: "reduction_to_one")
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda names, ops: ops or "none")
    assert strategy._mirrored("auto") == made


@pytest.mark.parametrize(
    ("logical", "cuda", "made"), [((), True, "AUTO"), ((0, 0), True, "NCCL"), ((0,), False, "RING")]
)
def test_what_a_cluster_adds_up_by(logical, cuda, made, gpus, monkeypatch):
    gpus(*logical, cuda=cuda)
    monkeypatch.setattr(
        tf.distribute,
        "MultiWorkerMirroredStrategy",
        lambda communication_options: communication_options.implementation.name,
    )
    assert strategy._multi_worker("auto") == made
