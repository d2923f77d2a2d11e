"""The messages of a prediction over gRPC, without TensorFlow.

`tensorflow-serving-api` has them too, but importing it imports TensorFlow, which takes seconds.
Here are the fields that a picture needs, with the numbers and types of TensorFlow Serving's public
API; what a server sends beside them is skipped, as protobuf does with every unknown field. Only
numbers and types travel, so that the names of the messages are our own; and the pool that they
live in is, so that a process may import `tensorflow-serving-api` as well.

Reference: https://github.com/tensorflow/serving/tree/master/tensorflow_serving/apis (model.proto,
predict.proto), https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/framework
(tensor.proto, tensor_shape.proto, types.proto).
"""

import math

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

PREDICT = "/tensorflow.serving.PredictionService/Predict"
DTYPES = {"float32": 1, "int64": 9}  # DT_FLOAT, DT_INT64

_FIELDS = {
    "Dim": ((1, "size", "int64"),),
    "Shape": ((2, "dim", "repeated Dim"),),
    "Tensor": (
        (1, "dtype", "int32"),  # an enum, which travels as an int32
        (2, "tensor_shape", "Shape"),
        (4, "tensor_content", "bytes"),
        (5, "float_val", "repeated float"),
        (8, "string_val", "repeated bytes"),
    ),
    "Number": ((1, "value", "int64"),),
    "ModelSpec": (
        (1, "name", "string"),
        (2, "version", "Number"),
        (3, "signature_name", "string"),
        (4, "version_label", "string"),
    ),
    "PredictRequest": (
        (1, "model_spec", "ModelSpec"),
        (2, "inputs", "map Tensor"),
        (3, "output_filter", "repeated string"),
    ),
    "PredictResponse": ((1, "outputs", "map Tensor"),),
}
_PACKAGE = "gan_keras.client"


def _classes():
    """Returns the classes of the messages by their names."""
    file = descriptor_pb2.FileDescriptorProto(
        name="gan_keras/client.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, field, spelled in fields:
            many, _, kind = spelled.rpartition(" ")
            if many == "map":  # is sent as a repeated message of a key and a value
                entry = message.nested_type.add(name=f"{field.capitalize()}Entry")
                entry.options.map_entry = True
                _declare(entry, 1, "key", "string")
                _declare(entry, 2, "value", kind)
                kind = f"{name}.{entry.name}"
            _declare(message, number, field, kind, many)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _FIELDS
    }


def _declare(message, number, name, kind, many=""):
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if many else field.LABEL_OPTIONAL
    if kind[0].isupper():
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = field.Type.Value(f"TYPE_{kind.upper()}")


_CLASSES = _classes()


def request(model, version, label, signature, inputs, output):
    """Returns a PredictRequest as bytes.

    Args:
        model: The model's name.
        version: Its version, an integer; None: the server's choice.
        label: The version's label; None for none. At most one of both.
        signature: The signature's name.
        inputs: Arrays of int64 or float32 by name.
        output: The one output to send.
    """
    made = _CLASSES["PredictRequest"](output_filter=[output])
    made.model_spec.name, made.model_spec.signature_name = model, signature
    if version is not None:
        made.model_spec.version.value = version
    if label is not None:
        made.model_spec.version_label = label
    for name, values in inputs.items():
        tensor = made.inputs[name]
        tensor.dtype = DTYPES[values.dtype.name]
        tensor.tensor_shape.SetInParent()
        for size in values.shape:
            tensor.tensor_shape.dim.add(size=size)
        tensor.tensor_content = np.ascontiguousarray(
            values, values.dtype.newbyteorder("<")
        ).tobytes()
    return made.SerializeToString(deterministic=True)


def answer(data, output, most_bytes):
    """Returns one output of a PredictResponse: of strings a list of bytes, or a float32 array.

    Args:
        data: The response as bytes.
        output: The output's name.
        most_bytes: A tensor that claims more is refused before memory is taken for it.

    Raises:
        KeyError: the output is not there.
        ValueError: the bytes are no PredictResponse, or the shape is not that of the values.
    """
    try:
        response = _CLASSES["PredictResponse"].FromString(data)
    except DecodeError:
        raise ValueError("not a PredictResponse") from None
    if output not in response.outputs:  # reading it would make an empty one
        raise KeyError(output)
    tensor = response.outputs[output]
    if tensor.string_val:
        return list(tensor.string_val)
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if min(shape, default=0) < 0 or 4 * math.prod(shape) > most_bytes:
        raise ValueError(f"a tensor of the shape {shape}")
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, "<f4").reshape(shape)
    values = np.array(tensor.float_val, np.float32)
    # A tensor of one repeated number may be sent as that number alone.
    return np.full(shape, values[0]) if len(values) == 1 else values.reshape(shape)
