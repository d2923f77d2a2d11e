"""The gRPC services, asked by TensorFlow Serving's own stubs."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from gan_keras.exporting import contract

SEEDS = np.array([3, 1, 4], np.int64)


def request(signature, model=contract.MODEL_NAME, version=None, label=None, outputs=(), **inputs):
    made = predict_pb2.PredictRequest(output_filter=outputs)
    made.model_spec.name = model
    made.model_spec.signature_name = signature
    if version is not None:
        made.model_spec.version.value = version
    if label is not None:
        made.model_spec.version_label = label
    for name, value in inputs.items():
        is_proto = isinstance(value, tf.make_tensor_proto(0).__class__)
        made.inputs[name].CopyFrom(value if is_proto else tf.make_tensor_proto(value))
    return made


@pytest.fixture(scope="module")
def predict(served):
    def call(*arguments, **more):
        answer = served.predict.Predict(request(*arguments, **more))
        values = {name: tf.make_ndarray(proto) for name, proto in answer.outputs.items()}
        return answer.model_spec, values

    return call


@pytest.fixture(scope="module")
def local(saved):
    """The same models, called without a server."""
    loaded = {name: tf.saved_model.load(str(saved / name)) for name in ("first", "second")}

    def call(name, signature, **inputs):
        results = loaded[name].signatures[signature](
            **{k: tf.constant(v) for k, v in inputs.items()}
        )
        return {key: value.numpy() for key, value in results.items()}

    return call


def refused(call, code, *said):
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert error.value.code() == code, error.value.details()
    for text in said:
        assert text in error.value.details()
    for trace in ("\n", "Graph execution error", "[["):
        assert trace not in error.value.details()


def test_sample_equals_the_saved_model(predict, local):
    spec, values = predict("sample", seed=SEEDS)
    assert (spec.name, spec.version.value, spec.signature_name) == ("generator", 2, "sample")
    assert values.keys() == {"images"}
    assert values["images"].dtype == np.uint8
    np.testing.assert_array_equal(values["images"], local("second", "sample", seed=SEEDS)["images"])


def test_png_is_one_file_per_row(predict, local):
    _, values = predict("png", seed=SEEDS)
    pixels = local("second", "sample", seed=SEEDS)["images"]
    decoded = [tf.image.decode_png(png).numpy() for png in values["png_bytes"]]
    np.testing.assert_array_equal(np.stack(decoded), pixels)


def test_default_signature_has_floats(predict, local):
    latents = np.linspace(-2, 2, 8, dtype=np.float32).reshape(2, 4)
    spec, values = predict("", latents=latents)
    assert spec.signature_name == contract.LATENTS_SIGNATURE
    np.testing.assert_array_equal(
        values["images"], local("second", "serving_default", latents=latents)["images"]
    )


@pytest.mark.parametrize(
    ("choice", "number", "name"),
    [
        ({"version": 1}, 1, "first"),
        ({"version": 2}, 2, "second"),
        ({"label": "stable"}, 1, "first"),
        ({"label": "canary"}, 2, "second"),
    ],
)
def test_version_and_label_choose(predict, local, choice, number, name):
    spec, values = predict("sample", seed=SEEDS, **choice)
    assert spec.version.value == number
    np.testing.assert_array_equal(values["images"], local(name, "sample", seed=SEEDS)["images"])


def test_output_filter(predict):
    inputs = {"a": np.array([[1, 2]], np.float32), "b": np.array([3], np.int32)}
    _, both = predict("mix", "odd", **inputs)
    assert {name: value.tolist() for name, value in both.items()} == {"total": [6], "twice": [6]}
    _, one = predict("mix", "odd", outputs=["twice"], **inputs)
    assert one.keys() == {"twice"}
    refused(
        lambda: predict("mix", "odd", outputs=["thrice"], **inputs),
        grpc.StatusCode.INVALID_ARGUMENT,
        "no output `thrice`",
        "`total`, `twice`",
    )


def test_repeated_values_may_be_sent_once(predict):
    proto = tf.make_tensor_proto(np.array([], np.int64))
    proto.tensor_shape.dim[0].size = 3
    proto.int64_val.append(5)
    _, values = predict("small", "odd", x=proto)
    assert values["x"].tolist() == [5, 5, 5]


def test_scalar_output(predict):
    assert predict("total", "odd", x=SEEDS)[1]["total"] == 8


def test_strings_keep_their_bytes(predict):
    raw = [b"\x00\xff", b"a\x00\x00", b""]
    assert predict("raw", "odd", raw=raw)[1]["raw"].tolist() == raw
    assert predict("join", "odd", raw=raw)[1]["joined"].tolist() == b"\x00\xffa\x00\x00"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ({"model": "nobody"}, "NOT_FOUND", "no model `nobody`"),
        ({"model": ""}, "INVALID_ARGUMENT", "model_spec has no name"),
        ({"version": 9}, "NOT_FOUND", "model `generator` has no version 9"),
        ({"version": -1}, "NOT_FOUND", "no version -1"),
        ({"label": "best"}, "INVALID_ARGUMENT", "no version label `best`"),
        ({"label": ""}, "INVALID_ARGUMENT", "no version label ``"),
        ({"signature": "jpeg"}, "FAILED_PRECONDITION", "no signature `jpeg`; it has `png`"),
    ],
)
def test_what_is_not_there(predict, arguments, code, said):
    arguments = {"signature": "sample", "seed": SEEDS, **arguments}
    refused(lambda: predict(**arguments), grpc.StatusCode[code], said)


def claimed(dtype, *shape, **values):
    """A TensorProto that claims more than it holds."""
    proto = tf.make_tensor_proto(0)
    proto.Clear()
    proto.dtype = dtype
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    for name, value in values.items():
        if name == "tensor_content":
            proto.tensor_content = value
        else:
            getattr(proto, name).extend(value)
    return proto


def unknown_rank():
    proto = claimed(types_pb2.DT_INT64, int64_val=[1])
    proto.tensor_shape.unknown_rank = True
    return proto


@pytest.mark.parametrize(
    ("signature", "inputs", "said"),
    [
        ("sample", {}, "input `seed` of signature `sample` is missing"),
        ("sample", {"seeds": SEEDS}, "no input `seeds`; it takes `seed`"),
        ("sample", {"seed": SEEDS, "class": SEEDS}, "no input `class`"),
        ("sample", {"seed": SEEDS.astype(np.int32)}, "dtype int32 received, int64 expected"),
        ("sample", {"seed": SEEDS.astype(np.float32)}, "`seed`: dtype float32 received, int64"),
        ("sample", {"seed": np.int64(3)}, "`seed`: shape () received, (None,) expected"),
        ("sample", {"seed": SEEDS[None]}, "`seed`: shape (1, 3) received, (None,) expected"),
        ("sample", {"seed": SEEDS[:0]}, "shape (0,) received, one row or more expected"),
        (
            "serving_default",
            {"latents": np.zeros((2, 5), np.float32)},
            "`latents`: shape (2, 5) received, (None, 4) expected",
        ),
        ("serving_default", {"latents": np.zeros((2, 4))}, "dtype float64 received, float32"),
        ("sample", {"seed": claimed(0)}, "`seed`: dtype number 0 received, int64 expected"),
        ("sample", {"seed": claimed(4711)}, "`seed`: dtype number 4711 received"),
        ("sample", {"seed": claimed(types_pb2.DT_INT64, -1)}, "`seed`: shape (-1,) received"),
        ("sample", {"seed": unknown_rank()}, "`seed`: a shape of unknown rank"),
        (
            "sample",
            {"seed": claimed(types_pb2.DT_INT64, 10**15, int64_val=[1])},
            "at most 1,000,000 expected",
        ),
        (
            "sample",
            {"seed": claimed(types_pb2.DT_INT64, 3, tensor_content=b"1234567")},
            "`seed`: the values do not fill shape (3,) of int64",
        ),
        (
            "sample",
            {"seed": claimed(types_pb2.DT_INT64, 1, int64_val=[1, 2])},
            "`seed`: the values do not fill shape (1,) of int64",
        ),
    ],
)
def test_wrong_input(predict, signature, inputs, said):
    refused(lambda: predict(signature, **inputs), grpc.StatusCode.INVALID_ARGUMENT, said)


def test_wrong_strings(predict):
    proto = claimed(types_pb2.DT_STRING, 2, tensor_content=b"ab")
    refused(
        lambda: predict("raw", "odd", raw=proto),
        grpc.StatusCode.INVALID_ARGUMENT,
        "`raw`: the values do not fill shape (2,) of string",
    )


def test_the_graphs_own_complaint(predict):
    refused(
        lambda: predict("small", "odd", x=np.array([9, 10])),
        grpc.StatusCode.INVALID_ARGUMENT,
        "x is too large",
    )


def test_rows_that_do_not_match(predict):
    refused(
        lambda: predict("mix", "odd", a=np.zeros((2, 2), np.float32), b=np.zeros(3, np.int32)),
        grpc.StatusCode.INVALID_ARGUMENT,
        "Incompatible shapes",
    )


def test_model_spec_is_needed(served):
    for call, message in (
        (served.predict.Predict, predict_pb2.PredictRequest()),
        (served.predict.GetModelMetadata, get_model_metadata_pb2.GetModelMetadataRequest()),
        (served.status.GetModelStatus, get_model_status_pb2.GetModelStatusRequest()),
    ):
        refused(
            lambda call=call, message=message: call(message),
            grpc.StatusCode.INVALID_ARGUMENT,
            "model_spec is missing",
        )


def test_large_messages(predict):
    """More than gRPC's default of 4 MiB, both ways."""
    count = 600_000
    inputs = {"a": np.zeros((count, 2), np.float32), "b": np.arange(count, dtype=np.int32)}
    assert inputs["a"].nbytes > 4 * 2**20
    _, values = predict("mix", "odd", **inputs)
    assert values["twice"][-1] == 2 * (count - 1)
    _, values = predict("serving_default", latents=np.zeros((12_000, 4), np.float32))
    assert values["images"].nbytes > 4 * 2**20


def metadata(served, fields=("signature_def",), version=None):
    message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    message.model_spec.name = contract.MODEL_NAME
    if version is not None:
        message.model_spec.version.value = version
    return served.predict.GetModelMetadata(message)


def test_metadata(served):
    answer = metadata(served, version=1)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("generator", 1)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    signatures = signatures.signature_def
    assert {"serving_default", "sample", "png"} <= signatures.keys()
    assert signatures["sample"].inputs["seed"].dtype == types_pb2.DT_INT64
    assert [dim.size for dim in signatures["sample"].inputs["seed"].tensor_shape.dim] == [-1]
    assert signatures["png"].outputs["png_bytes"].dtype == types_pb2.DT_STRING


def test_metadata_refused(served):
    for fields in ((), ("weights",), ("signature_def", "weights")):
        refused(
            lambda fields=fields: metadata(served, fields),
            grpc.StatusCode.INVALID_ARGUMENT,
            "metadata_field must be",
        )
    refused(lambda: metadata(served, version=9), grpc.StatusCode.NOT_FOUND, "no version 9")


def test_status(served):
    def status(name, **choice):
        message = get_model_status_pb2.GetModelStatusRequest()
        message.model_spec.name = name
        if "version" in choice:
            message.model_spec.version.value = choice["version"]
        if "label" in choice:
            message.model_spec.version_label = choice["label"]
        answer = served.status.GetModelStatus(message).model_version_status
        return [(one.version, one.state, one.status.error_code) for one in answer]

    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert status("generator") == [(2, available, 0), (1, available, 0)]
    assert status("generator", version=1) == [(1, available, 0)]
    for label in ("stable", "best"):  # as TensorFlow Serving, which does not look at it
        assert status("generator", label=label) == [(2, available, 0), (1, available, 0)]
    refused(lambda: status("nobody"), grpc.StatusCode.NOT_FOUND, "no model `nobody`")
    refused(lambda: status("generator", version=9), grpc.StatusCode.NOT_FOUND, "no version 9")


def test_other_methods_are_for_other_models(served):
    for call, message in (
        (served.predict.Classify, classification_pb2.ClassificationRequest()),
        (served.predict.Regress, regression_pb2.RegressionRequest()),
        (served.predict.MultiInference, inference_pb2.MultiInferenceRequest()),
        (served.status.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest()),
    ):
        refused(lambda call=call, message=message: call(message), grpc.StatusCode.INVALID_ARGUMENT)
