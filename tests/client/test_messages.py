"""The client's own messages against those of tensorflow-serving-api, byte by byte, both ways."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from gan_keras.client import messages

MOST = 2**20
seeds = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3)
names = st.text(min_size=1, max_size=8)


def theirs(model, version, label, signature, inputs, output):
    """The same request, made with TensorFlow Serving's own messages."""
    request = predict_pb2.PredictRequest(output_filter=[output])
    request.model_spec.name, request.model_spec.signature_name = model, signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for name, values in inputs.items():
        tensor = request.inputs[name]
        tensor.dtype = tf.as_dtype(values.dtype).as_datatype_enum
        tensor.tensor_shape.CopyFrom(tf.TensorShape(values.shape).as_proto())
        tensor.tensor_content = values.tobytes()
    return request


@settings(max_examples=60, deadline=None)
@given(
    model=names,
    chosen=st.none() | st.integers(0, 2**63 - 1) | names,
    signature=names,
    seed=seeds,
    width=st.none() | st.integers(0, 3),
    output=names,
)
def test_a_request_has_the_bytes_of_tensorflow_serving(
    model, chosen, signature, seed, width, output
):
    inputs = {"seed": np.array(seed, np.int64)}
    if width is not None:
        inputs["latents"] = np.linspace(-3, 3, len(seed) * width, dtype=np.float32).reshape(
            len(seed), width
        )
        inputs["label"] = np.arange(len(seed), dtype=np.int64)
    version = chosen if isinstance(chosen, int) else None
    label = chosen if isinstance(chosen, str) else None
    arguments = (model, version, label, signature, inputs, output)
    made, expected = messages.request(*arguments), theirs(*arguments)
    assert made == expected.SerializeToString(deterministic=True)
    parsed = predict_pb2.PredictRequest.FromString(made)
    assert parsed == expected
    for name, values in inputs.items():
        assert_array_equal(tf.make_ndarray(parsed.inputs[name]), values)


@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("shape", [(2, 2, 3, 1), (1, 1, 1, 1), (3, 0)])
def test_floats_of_tensorflow_serving_are_read(content, shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    response = predict_pb2.PredictResponse()
    if content:  # as TensorFlow makes it
        response.outputs["images"].CopyFrom(tf.make_tensor_proto(values))
    else:  # as TensorFlow Serving sends it
        tensor = response.outputs["images"]
        tensor.dtype = types_pb2.DT_FLOAT
        tensor.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
        tensor.float_val.extend(values.ravel().tolist())
    response.outputs["other"].CopyFrom(tf.make_tensor_proto([1]))
    response.model_spec.name = "generator"  # a field that the client does not know
    read = messages.answer(response.SerializeToString(), "images", MOST)
    assert read.dtype == np.float32
    assert_array_equal(read, values)


def test_a_repeated_number_is_spread():
    response = predict_pb2.PredictResponse()
    response.outputs["images"].CopyFrom(tf.make_tensor_proto(np.float32(-1), shape=(2, 3)))
    assert len(response.outputs["images"].float_val) == 1
    assert_array_equal(
        messages.answer(response.SerializeToString(), "images", MOST), np.full((2, 3), -1.0)
    )


def test_strings_of_tensorflow_serving_are_read():
    files = [b"\x89PNG\0", b"", bytes(range(256))]
    response = predict_pb2.PredictResponse()
    response.outputs["png_bytes"].CopyFrom(tf.make_tensor_proto(files))
    assert messages.answer(response.SerializeToString(), "png_bytes", MOST) == files


def test_what_is_no_answer_is_an_error():
    response = predict_pb2.PredictResponse()
    response.outputs["images"].CopyFrom(tf.make_tensor_proto(np.zeros((4, 8), np.float32)))
    data = response.SerializeToString()
    with pytest.raises(KeyError, match="png_bytes"):
        messages.answer(data, "png_bytes", MOST)
    with pytest.raises(ValueError, match="not a PredictResponse"):
        messages.answer(data[:-1], "images", MOST)
    with pytest.raises(ValueError, match=r"a tensor of the shape \[4, 8\]"):
        messages.answer(data, "images", 4 * 4 * 8 - 1)


def test_the_method_is_the_services():
    called = {}

    class Channel:
        def unary_unary(self, method, request_serializer, response_deserializer, **_):
            called[method] = request_serializer, response_deserializer

    prediction_service_pb2_grpc.PredictionServiceStub(Channel())
    assert called[messages.PREDICT] == (
        predict_pb2.PredictRequest.SerializeToString,
        predict_pb2.PredictResponse.FromString,
    )
    assert messages.DTYPES == {"float32": types_pb2.DT_FLOAT, "int64": types_pb2.DT_INT64}
