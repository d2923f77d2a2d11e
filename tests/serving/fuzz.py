"""Requests of all kinds, most of them wrong, and what every one of them must be answered with."""

import json

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2

from gan_keras.serving import grpc_service, rest
from gan_keras.serving.limits import Limits
from gan_keras.serving.request_error import RequestError

LIMITS = Limits(body_bytes=2**16)
# What a caller may be told of its own mistake: nothing that blames the server.
CALLERS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.NOT_FOUND,
}
# `spin` is left out: most numbers make it a test of the time-out.
SIGNATURES = [
    "serving_default",
    "sample",
    "png",
    "mix",
    "text",
    "raw",
    "join",
    "negate",
    "logarithm",
    "small",
    "total",
    "wide",
]
NAMES = ["latents", "seed", "a", "b", "text", "raw", "flag", "x", "wide"]

_integers = st.integers() | st.sampled_from([0, 1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**400])
_leaves = (
    st.none() | st.booleans() | _integers | st.floats() | st.text(max_size=9)
    | st.builds(lambda text: {"b64": text}, st.sampled_from(["", "YQ==", "?", "YQ"]) | st.text())
)  # fmt: skip
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner)
    ),
    max_leaves=12,
)
# Rows that fit one signature or another: the way to the graph must be gone too.
_rows = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    st.lists(st.lists(st.floats(width=32), min_size=4, max_size=4), max_size=4),
    st.lists(
        st.fixed_dictionaries(
            {"a": st.lists(st.integers(-9, 9), min_size=2, max_size=2), "b": _integers}
        ),
        max_size=4,
    ),
    st.lists(st.text(max_size=4), max_size=4),
    st.lists(st.booleans(), max_size=4),
)
_named = st.sampled_from(NAMES).flatmap(lambda name: _rows.map(lambda rows: {name: rows}))
_requests = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": st.sampled_from(SIGNATURES) | _leaves,
        "instances": _rows | _values,
        "inputs": _rows | _named | _values,
    },
)
_json = (_requests | _values).map(lambda value: json.dumps(value).encode())


@st.composite
def _damaged(draw, whole):
    """A body with a piece cut out, doubled, or replaced by other bytes."""
    body = draw(whole)
    first = draw(st.integers(0, len(body)))
    last = draw(st.integers(first, min(len(body), first + 8)))
    put = draw(st.sampled_from([b"", body[first:last] * 2]) | st.binary(max_size=4))
    return body[:first] + put + body[last:]


BODIES = _json | _damaged(_json) | st.binary(max_size=64)

_sizes = st.integers(0, 5) | st.sampled_from([-1, -(2**63), 64, 65, 2**40, 2**63 - 1])
_dtypes = st.sampled_from([1, 3, 7, 9, 10]) | st.integers(0, 130) | st.just(4711)


@st.composite
def _tensors(draw):
    proto = tf.make_tensor_proto(0)
    proto.Clear()
    proto.dtype = draw(_dtypes)
    proto.tensor_shape.unknown_rank = draw(st.integers(0, 9)) == 9
    if not proto.tensor_shape.unknown_rank:
        for size in draw(st.lists(_sizes, max_size=3) | st.just([1]) | st.just([2, 4])):
            proto.tensor_shape.dim.add(size=size)
    if draw(st.booleans()):
        proto.tensor_content = draw(st.binary(max_size=40))
    proto.int64_val.extend(draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3)))
    proto.int_val.extend(draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=2)))
    proto.float_val.extend(draw(st.lists(st.floats(width=32), max_size=8)))
    proto.string_val.extend(draw(st.lists(st.binary(max_size=4), max_size=2)))
    proto.bool_val.extend(draw(st.lists(st.booleans(), max_size=2)))
    return proto


@st.composite
def _fitting(draw):
    """A tensor that an input takes, as make_tensor_proto writes it."""
    dtype, values = draw(
        st.sampled_from(
            [
                (tf.int64, st.integers(-(2**63), 2**63 - 1)),
                (tf.int32, st.integers(-9, 9)),
                (tf.string, st.binary(max_size=4)),
                (tf.bool, st.booleans()),
                (tf.float32, st.floats(width=32)),
            ]
        )
    )
    return tf.make_tensor_proto(draw(st.lists(values, min_size=1, max_size=4)), dtype)


@st.composite
def _messages(draw):
    message = predict_pb2.PredictRequest()
    message.model_spec.signature_name = draw(st.sampled_from(SIGNATURES) | st.text(max_size=5))
    inputs = draw(st.dictionaries(st.sampled_from(NAMES), _tensors() | _fitting(), max_size=2))
    for name, proto in inputs.items():
        message.inputs[name].CopyFrom(proto)
    message.output_filter.extend(draw(st.lists(st.sampled_from(["images", "x"]), max_size=1)))
    return message.SerializeToString()


MESSAGES = _messages() | _damaged(_messages()) | st.binary(max_size=64)


def ask_rest(servable, body):
    """Asserts that a body is answered in JSON, or refused for what the caller did."""
    try:
        answer = rest._predict(*rest._parsed(servable, LIMITS, body))
    except RequestError as refusal:
        _is_the_callers(refusal)
    else:
        assert json.loads(answer).keys() <= {"predictions", "outputs"}


def ask_grpc(servable, raw):
    """Asserts that the bytes of a message are answered, or refused for what the caller did."""
    try:
        message = predict_pb2.PredictRequest.FromString(raw)
    except DecodeError:  # told as INVALID_ARGUMENT; test_faults.py has it over the wire
        return
    try:
        signature = servable.signature(message.model_spec.signature_name, LIMITS)
        answer = grpc_service._predict(servable, signature, message)
    except RequestError as refusal:
        _is_the_callers(refusal)
    else:
        assert answer.outputs


def _is_the_callers(refusal):
    assert refusal.code in CALLERS, (refusal.code, str(refusal))
    assert 400 <= rest.HTTP_STATUS[refusal.code] < 500
    # gRPC's trailers hold 8 KiB, percent-encoded.
    assert 0 < len(str(refusal)) <= 503
