"""From flags and environment to a strategy; what does not fit is told in one line."""

import json
from types import SimpleNamespace

import pytest
import tensorflow as tf

from gan_keras import strategy
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
    monkeypatch.setitem(strategy._STRATEGIES, "mirrored", lambda: three)
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
