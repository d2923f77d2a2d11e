"""Requests beside a model that are run before it serves, as TensorFlow Serving has them."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from gan_keras.errors import UserError
from gan_keras.exporting import contract
from gan_keras.serving import models
from gan_keras.serving.limits import Limits
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import place, serving, settings, states, until


def warm_up(folder, requests, **options):
    file = folder / contract.WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file), **options) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


def seeds(*values, signature="sample", key="seed", dtype=np.int64):
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    request.inputs[key].CopyFrom(tf.make_tensor_proto(np.array(values, dtype)))
    return request


def test_warm_up_runs_every_request(saved, base, monkeypatch):
    runs, call = [], models.Servable.signature

    def noted(self, name):
        runs.append((self.version, name))
        return call(self, name)

    monkeypatch.setattr(models.Servable, "signature", noted)
    with serving(settings(base)) as served:
        (base / "making").mkdir()
        shutil.copytree(saved / "second", base / "making", dirs_exist_ok=True)
        warm_up(base / "making", [seeds(1), seeds(1, 2), seeds(3, signature="png")])
        (base / "making").rename(base / "2")
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE"})
        assert runs == [(2, "sample"), (2, "sample"), (2, "png")]
        line = f"loaded model `generator` version 2 from {base}/2, warmed by 3 requests"
        assert line in served.lines


@pytest.mark.parametrize(
    ("requests", "options", "said"),
    [
        ([seeds(1), seeds(1, signature="jpeg")], {}, "warm-up request 2: .*no signature `jpeg`"),
        ([seeds(1, key="seeds")], {}, "warm-up request 1: .*no input `seeds`"),
        ([seeds(1, dtype=np.int32)], {}, "warm-up request 1: .*dtype int32 received"),
        ([seeds([1])], {}, r"warm-up request 1: .*shape \(1, 1\) received"),
        ([seeds(1)] * 1001, {}, "more than 1000 records"),
        ([seeds(1)], {"options": "GZIP"}, "corrupted record"),
    ],
)
def test_bad_warm_up_stops_the_load(base, requests, options, said):
    warm_up(base / "1", requests, **options)
    with pytest.raises(UserError, match=f"nothing to serve: .*{said}"), serving(settings(base)):
        pass


def test_a_request_that_takes_too_long_is_no_fault_of_the_version(saved, tmp_path):
    place(saved / "odd", tmp_path, 1)
    spins = [seeds(turns, signature="spin", key="turns") for turns in (2**62, 3)]
    warm_up(tmp_path / "1", spins)
    with serving(ModelSettings("odd", tmp_path), limits=Limits(seconds=1)) as served:
        assert (
            served.lines[0]
            == f"loaded model `odd` version 1 from {tmp_path}/1, warmed by 1 requests"
        )


def test_records_of_other_methods_warm_nothing(base):
    file = base / "1" / contract.WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    log = prediction_log_pb2.PredictionLog()
    log.classify_log.request.model_spec.name = contract.MODEL_NAME
    with tf.io.TFRecordWriter(str(file)) as writer:
        writer.write(log.SerializeToString())
    with serving(settings(base)) as served:
        assert served.lines[0] == f"loaded model `generator` version 1 from {base}/1"
