"""Where both servers answer alike, and where they differ: each row of serving/README.md.

What TensorFlow Serving answers was measured on a real one; here the embedded server is asked.
"""

import re
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
import urllib3
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from gan_keras.exporting import contract
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import place, serving

README = Path(__file__).parent.parent.parent / "serving" / "README.md"
MODEL = "/v1/models/generator"
SEEDS = {"signature_name": "sample", "instances": [7]}


@pytest.fixture(scope="module")
def plain(saved, tmp_path_factory):
    """A server with its default limits."""
    base = tmp_path_factory.mktemp("plain") / "generator"
    for version in (1, 2):
        place(saved / "first", base, version)
    settings = ModelSettings(contract.MODEL_NAME, base, None, labels={"stable": 1})
    with serving(settings) as running:
        yield running


def rest(server, method, path, body=None, headers=None):
    """The status and the answer's bytes."""
    answer = urllib3.request(
        method, f"http://{server.rest}{path}", json=body, headers=headers, retries=False, timeout=60
    )
    return answer.status, answer.data


def codes(server, *requests):
    return [rest(server, *request)[0] for request in requests]


def predict(server, values, outputs=(), model=contract.MODEL_NAME, **more):
    made = predict_pb2.PredictRequest(output_filter=outputs)
    made.model_spec.name, made.model_spec.signature_name = model, "sample"
    for name, value in {"seed": values, **more}.items():
        is_array = isinstance(value, np.ndarray)
        made.inputs[name].CopyFrom(tf.make_tensor_proto(value) if is_array else value)
    return code(server.predict.Predict, made)


def code(call, message):
    try:
        return call(message, timeout=60)
    except grpc.RpcError as error:
        return error.code().name


def claimed(rows):
    """One value that claims to be many."""
    proto = tf.make_tensor_proto(np.zeros(1, np.int64))
    proto.tensor_content = b""
    proto.int64_val.append(7)
    proto.tensor_shape.dim[0].size = rows
    return proto


def raw(server, method, data):
    with grpc.insecure_channel(server.grpc) as channel:
        return code(channel.unary_unary(f"/tensorflow.serving.{method}"), data)


def status_of_a_label(server):
    for label in ("stable", "unknown"):
        code, answer = server.ask("GET", f"{MODEL}/labels/{label}")
        assert code == 200
        assert [each["version"] for each in answer["model_version_status"]] == ["2", "1"]


def malformed(server):
    for method, path in (
        ("GET", f"{MODEL}/versions/abc"),
        ("POST", f"{MODEL}/versions/abc:predict"),
        ("POST", f"{MODEL}:foo"),
        ("GET", f"{MODEL}/"),
    ):
        code, answer = server.ask(method, path, SEEDS if method == "POST" else None)
        assert (code, "Malformed request" in answer["error"]) == (400, True), path


def methods(server):
    requests = [(method, f"{MODEL}:predict") for method in ("GET", "PUT")]
    requests += [(method, MODEL) for method in ("HEAD", "POST", "DELETE")]
    requests += [("POST", f"{MODEL}/metadata")]
    assert codes(server, *requests) == [400] * 6


def options(server):
    path = f"{MODEL}:predict"
    assert rest(server, "OPTIONS", path)[0] == 400
    assert rest(server, "OPTIONS", path, headers={"Origin": "http://x"}) == (200, b"")


def queries(server):
    requests = [("GET", f"{MODEL}?a=b"), ("POST", f"{MODEL}:predict?a=b", SEEDS)]
    assert codes(server, *requests) == [404, 400]


def other_kinds(server):
    requests = [("POST", f"{MODEL}:{verb}", SEEDS) for verb in ("classify", "regress")]
    assert codes(server, ("GET", "/v1/models"), *requests) == [400] * 3


def extra_input_rest(server):
    plain = server.ask("POST", f"{MODEL}:predict", SEEDS)
    assert plain[0] == 200
    rows = {"signature_name": "sample", "instances": [{"seed": 7, "class": "x"}]}
    assert server.ask("POST", f"{MODEL}:predict", rows) == plain
    columns = {"signature_name": "sample", "inputs": {"class": {"y": 1}, "seed": [7]}}
    assert server.ask("POST", f"{MODEL}:predict", columns)[1]["outputs"] == plain[1]["predictions"]


def extra_input_grpc(server):
    values = np.array([7], np.int64)
    assert predict(server, values, **{"class": values}) == "INVALID_ARGUMENT"


def filter_twice(server):
    values = np.array([7], np.int64)
    assert predict(server, values, ["images", "images"]) == "INVALID_ARGUMENT"
    assert predict(server, values, ["images"]).outputs.keys() == {"images"}


def no_name(server):
    assert predict(server, np.array([7], np.int64), model="") == "INVALID_ARGUMENT"


def grpc_status_of_a_label(server):
    for label in ("stable", "unknown"):
        message = get_model_status_pb2.GetModelStatusRequest()
        message.model_spec.name, message.model_spec.version_label = "generator", label
        answer = code(server.status.GetModelStatus, message).model_version_status
        assert [each.version for each in answer] == [2, 1]


def other_methods(server):
    for call, message in (
        (server.predict.Classify, classification_pb2.ClassificationRequest()),
        (server.predict.Regress, regression_pb2.RegressionRequest()),
        (server.predict.MultiInference, inference_pb2.MultiInferenceRequest()),
        (server.status.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest()),
    ):
        assert code(call, message) == "INVALID_ARGUMENT"


def not_finite(server):
    for number in (b"NaN", b"Infinity", b"1e39"):
        body = b'{"instances": [[0, 0, 0, ' + number + b"]]}"
        assert server.ask("POST", f"{MODEL}:predict", body)[0] == 400


def empty(server):
    body = {"signature_name": "sample", "inputs": {"seed": []}}
    assert rest(server, "POST", f"{MODEL}:predict", body)[0] == 400
    assert predict(server, np.zeros(0, np.int64)) == "INVALID_ARGUMENT"


def many_rows(server):
    for rows, expected in ((64, 200), (65, 400)):
        body = {"signature_name": "png", "inputs": {"seed": list(range(rows))}}
        assert rest(server, "POST", f"{MODEL}:predict", body)[0] == expected
    assert predict(server, np.arange(65)) == "INVALID_ARGUMENT"


def claims(server):
    assert predict(server, claimed(1_000)) == "INVALID_ARGUMENT"
    answer = predict(server, claimed(3))
    assert len(tf.make_ndarray(answer.outputs["images"])) == 3


def large(server):
    code, _ = server.ask("POST", f"{MODEL}:predict", b" " * (9 * 2**20))
    assert code == 413
    assert raw(server, "PredictionService/Predict", b" " * (9 * 2**20)) == "RESOURCE_EXHAUSTED"


def large_version(server):
    code, answer = server.ask("GET", f"{MODEL}/versions/{2**63}")
    assert (code, answer.keys()) == (400, {"error"})


def outside(server):
    code, answer = server.ask("GET", "/foo")
    assert (code, answer.keys()) == (404, {"error"})


def garbage(server):
    assert raw(server, "PredictionService/Predict", b"\xff\xff") == "INVALID_ARGUMENT"


def reload(server):
    message = model_management_pb2.ReloadConfigRequest()
    message.config.model_config_list.config.add(name="generator")
    assert code(server.status.HandleReloadConfigRequest, message) == "UNIMPLEMENTED"


def numbers(server):
    answer = predict(server, np.array([7], np.int64)).outputs["images"]
    assert len(answer.tensor_content) == tf.make_ndarray(answer).nbytes


# By the first words of the row.
ALIKE = {
    "`GET` of a status with a label": status_of_a_label,
    "`:foo`": malformed,
    "`GET` or `PUT` of `:predict`": methods,
    "`OPTIONS`": options,
    "a query string": queries,
    "`GET /v1/models`": other_kinds,
    "over REST an input": extra_input_rest,
    "over gRPC an input": extra_input_grpc,
    "a name twice": filter_twice,
    "gRPC without a model's name": no_name,
    "`GetModelStatus` with a label": grpc_status_of_a_label,
    "`Classify`": other_methods,
}
OTHERWISE = {
    "`NaN`": not_finite,
    "an empty batch": empty,
    "65 rows": many_rows,
    "over gRPC one value": claims,
    "a body of 9 MiB": large,
    "a version beyond int64": large_version,
    "a path outside": outside,
    "over gRPC bytes": garbage,
    "`ReloadConfigRequest` with": reload,
    "numbers in a gRPC reply": numbers,
}


@pytest.mark.parametrize("row", [*ALIKE, *OTHERWISE])
def test_each_row(plain, row):
    {**ALIKE, **OTHERWISE}[row](plain)


def test_the_page_has_these_rows_and_no_others():
    section = (
        README.read_text("utf-8").split("## Where the two servers differ")[1].split("\n## ")[0]
    )
    tables = re.findall(r"\|---\|.*\n((?:\|.*\n)+)", section)
    for table, checks in zip(tables, (ALIKE, OTHERWISE), strict=True):
        rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
        assert len(rows) == len(checks)
        for row, words in zip(rows, checks, strict=True):
            assert row.startswith(words)
