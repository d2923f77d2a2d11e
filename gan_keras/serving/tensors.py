"""TensorProtos, the values of gRPC, as arrays and back.

TensorFlow's own two functions take ten times as long for the few values of most requests; they
are left what is rare.
"""

import numpy as np
import tensorflow as tf


def array(proto, dtype):
    """Returns a TensorProto, whose shape has been checked, as an array of a tf.DType.

    Raises:
        ValueError, TypeError: its values do not fill its shape.
    """
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_content and dtype != tf.string:
        return np.frombuffer(proto.tensor_content, dtype.as_numpy_dtype).reshape(shape)
    if dtype == tf.int64 and [len(proto.int64_val)] == shape:
        return np.array(proto.int64_val, np.int64)
    return tf.make_ndarray(proto)


def fill(proto, values):
    """Writes an array into an empty TensorProto; strings are objects, of bytes."""
    if values.dtype != object and values.size <= 1:  # TensorFlow has a field for the one value
        proto.CopyFrom(tf.make_tensor_proto(values))
        return
    if values.dtype == object:
        proto.dtype = tf.string.as_datatype_enum
        proto.string_val.extend(values.ravel().tolist())
    else:
        proto.dtype = tf.as_dtype(values.dtype).as_datatype_enum
        proto.tensor_content = values.tobytes()
    for size in values.shape:
        proto.tensor_shape.dim.add(size=size)
