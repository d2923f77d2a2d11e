"""The counters: TensorFlow Serving's names, what is counted, and that names do not pile up."""

import grpc
import pytest
import tensorflow as tf
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from tensorflow_serving.apis import predict_pb2

from gan_keras.exporting import contract
from gan_keras.serving import counters
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import serving

REQUESTS = ":tensorflow:serving:request_count"
LATENCY = ":tensorflow:serving:request_latency"


def families(text):
    """Metric families by name."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def counts(text):
    """Requests by model and status."""
    return {
        (sample.labels["model_name"], sample.labels["status"]): sample.value
        for sample in families(text)[REQUESTS].samples
    }


def test_names_labels_and_bounds_are_those_of_tensorflow_serving():
    made = counters.Counters(lambda: ["generator"])
    made.add("generator", "REST", "OK", 0.0015)
    text = made.text().decode()
    assert f"# TYPE {REQUESTS} counter\n" in text
    assert f'{REQUESTS}{{model_name="generator",status="OK"}} 1.0\n' in text
    assert "_created" not in text
    samples = families(text)[LATENCY].samples
    (total,) = [sample.value for sample in samples if sample.name == f"{LATENCY}_sum"]
    assert total == pytest.approx(1500)
    buckets = [sample for sample in samples if sample.name == f"{LATENCY}_bucket"]
    bounds = [float(sample.labels["le"]) for sample in buckets]
    assert len(bounds) == 34
    assert (bounds[0], bounds[19], bounds[-1]) == (10, 708235, float("inf"))
    assert buckets[0].labels.keys() == {"model_name", "API", "entrypoint", "le"}
    assert [sample.value for sample in buckets] == [float(bound >= 1500) for bound in bounds]


def test_names_that_callers_make_up_are_one_series():
    made = counters.Counters(lambda: ["generator"])
    for number in range(1000):
        made.add(f"model-{number}", "GRPC", "NOT_FOUND", 0.001)
    assert counts(made.text().decode()) == {("(unknown)", "NOT_FOUND"): 1000}


def test_what_is_asked_is_counted(base):
    def metrics():
        answer = urllib3.request("GET", f"http://{served.rest}{counters.PATH}")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return answer.data.decode()

    def ask(model, signature="png", seed=7):
        body = {"signature_name": signature, "inputs": {"seed": [seed]}}
        return served.ask("POST", f"/v1/models/{model}:predict", body)[0]

    def call(model, signature="png"):
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, signature
        request.inputs["seed"].CopyFrom(tf.make_tensor_proto([7], tf.int64))
        served.predict.Predict(request)

    with serving(ModelSettings(contract.MODEL_NAME, base)) as served:
        assert metrics().count(f"\n{REQUESTS}{{") == 0
        assert [ask("generator") for _ in range(3)] == [200] * 3
        assert ask("generator", seed="x") == 400
        assert ask("other") == 404
        for _ in range(2):
            call("generator")
        for model, signature, code in (
            ("generator", "gif", grpc.StatusCode.FAILED_PRECONDITION),
            ("other", "png", grpc.StatusCode.NOT_FOUND),
        ):
            with pytest.raises(grpc.RpcError) as error:
                call(model, signature)
            assert error.value.code() == code
        # What asks for no prediction is not counted.
        assert served.ask("GET", "/v1/models/generator")[0] == 200
        text = metrics()
        assert counts(text) == {
            ("generator", "OK"): 5,
            ("generator", "INVALID_ARGUMENT"): 1,
            ("generator", "FAILED_PRECONDITION"): 1,
            ("(unknown)", "NOT_FOUND"): 2,
        }
        answered = {
            (sample.labels["model_name"], sample.labels["entrypoint"]): sample.value
            for sample in families(text)[LATENCY].samples
            if sample.name == f"{LATENCY}_count"
        }
        assert answered == {
            ("generator", "REST"): 4,
            ("generator", "GRPC"): 3,
            ("(unknown)", "REST"): 1,
            ("(unknown)", "GRPC"): 1,
        }
        assert families(text)["process_resident_memory_bytes"].samples[0].value > 2**20
