"""TensorFlow Serving's JSON form of tensors, in both directions.

Rows: {"instances": [...]} becomes {"predictions": [...]}, an element per example.
Columns: {"inputs": ...} becomes {"outputs": ...}, a tensor per name.
A name is left out where a signature has just one input or output.
"""

import base64
import binascii
import json
import math
from itertools import chain

import grpc
import numpy as np
import tensorflow as tf

from gan_keras.serving.request_error import RequestError, invalid

MAX_RANK = 64  # numpy's
LIST = 16  # numbers that take the time and the memory of one empty list
BYTES_SUFFIX = "_bytes"  # outputs of such names are {"b64": ...}


def parse(body, most_values):
    """Returns the JSON object of a request's body.

    Args:
        body: Its bytes.
        most_values: The most values that it may hold; a list or an object counts for LIST.
            They are counted in the bytes, as a parsed value takes up to a hundred times its text.

    Raises:
        RequestError: it is not such an object.
    """
    # Every value but the first comes after one of these; those in a string count too.
    if body.count(b",") + LIST * (body.count(b"[") + body.count(b"{")) >= most_values:
        raise invalid(f"the body has more than {most_values:,} values")
    try:
        request = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise invalid("the body is not UTF-8") from None
    except RecursionError:
        raise invalid("the body is nested too deeply") from None
    except ValueError as error:
        raise invalid(f"the body is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise invalid('the body must be a JSON object with "instances" or "inputs"')
    if not isinstance(request.get("signature_name", ""), str):
        raise invalid('"signature_name" must be a string')
    if ("instances" in request) == ("inputs" in request):
        raise invalid('the body must have one of "instances" and "inputs"')
    return request


def arrays(signature, request):
    """Returns the checked arrays by name of a parsed request.

    Raises:
        RequestError: they do not fit the signature.
    """
    if "instances" in request:
        columns = _columns_of_rows(signature, request["instances"])
    else:
        columns = _named(signature, request["inputs"])
    made = {
        name: _array(name, value, signature.inputs[name].dtype) for name, value in columns.items()
    }
    # What is missing is reported in the words that gRPC gets too.
    signature.check(
        {name: (array.shape, signature.inputs[name].dtype) for name, array in made.items()}
    )
    return made


def reply(results, by_row):
    """Returns the JSON text of results, arrays by name; by row, or a tensor per name."""
    outputs = {name: _values(name, array) for name, array in results.items()}
    if by_row:
        answer = {"predictions": _rows(outputs)}
    else:
        answer = {"outputs": next(iter(outputs.values())) if len(outputs) == 1 else outputs}
    return json.dumps(answer, allow_nan=False)


def _named(signature, value):
    """Returns {input name: value} of the columns, or of one row.

    What else an object holds is ignored, as by TensorFlow Serving.
    """
    if len(signature.inputs) == 1:
        (name,) = signature.inputs
        is_string = signature.inputs[name].dtype == tf.string
        if not isinstance(value, dict) or (is_string and value.keys() == {"b64"}):
            return {name: value}
    if not isinstance(value, dict):
        names = ", ".join(f"`{name}`" for name in signature.inputs)
        raise invalid(f"an object with the inputs {names} expected, {_shown(value)} received")
    return {name: value[name] for name in signature.inputs if name in value}


def _columns_of_rows(signature, instances):
    """Turns the rows of a request into {input name: list of values}."""
    if not isinstance(instances, list) or not instances:
        raise invalid('"instances" must be a list of one row or more')
    # Before there is an object for each of them.
    signature.check_rows(next(iter(signature.inputs), ""), len(instances))
    rows = [_named(signature, instance) for instance in instances]
    for number, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            raise invalid(f"row {number} has the inputs {sorted(row)}, row 0 has {sorted(rows[0])}")
    return {name: [row[name] for row in rows] for name in rows[0]}


def _array(name, value, dtype):
    """Turns nested lists into an array of a tf.DType."""
    leaves, shape = [value], []
    while leaves and any(type(leaf) is list for leaf in leaves):
        sizes = {len(leaf) if type(leaf) is list else None for leaf in leaves}
        if len(sizes) > 1:
            raise invalid(f"input `{name}`: the lists of one level differ in length or depth")
        shape.append(sizes.pop())
        if len(shape) > MAX_RANK:
            raise invalid(f"input `{name}`: lists nested more than {MAX_RANK} deep")
        leaves = list(chain.from_iterable(leaves))
    if dtype == tf.string:
        array = np.array([_bytes(name, leaf) for leaf in leaves] + [None], object)[:-1]
        return array.reshape(shape)
    if dtype.is_bool:
        accepted = {bool}
    elif dtype.is_integer:
        accepted = {int}  # 5.0 and 1e3 are floats, as in TensorFlow Serving
    elif dtype.is_floating:
        accepted = {int, float}
    else:
        raise invalid(f"input `{name}`: {dtype.name} cannot be sent as JSON; use gRPC")
    if not set(map(type, leaves)) <= accepted:
        wrong = next(leaf for leaf in leaves if type(leaf) not in accepted)
        raise invalid(f"input `{name}`: {_shown(wrong)} received, {dtype.name} expected")
    try:
        if not dtype.is_floating:
            return np.array(leaves, dtype.as_numpy_dtype).reshape(shape)
        with np.errstate(over="ignore"):
            array = np.array(leaves, np.float64).astype(dtype.as_numpy_dtype)
    except OverflowError:
        raise invalid(f"input `{name}`: a number beyond the range of {dtype.name}") from None
    if not np.isfinite(array).all():
        raise invalid(f"input `{name}`: a number that is not finite in {dtype.name}")
    return array.reshape(shape)


def _bytes(name, leaf):
    """A string's bytes, of text or of {"b64": ...}."""
    try:
        if isinstance(leaf, str):
            return leaf.encode("utf-8")
        if isinstance(leaf, dict) and leaf.keys() == {"b64"}:
            return base64.b64decode(leaf["b64"], validate=True)
    except (UnicodeEncodeError, binascii.Error, TypeError, ValueError):
        pass
    raise invalid(
        f'input `{name}`: {_shown(leaf)} received, a string or {{"b64": base64}} expected'
    )


def _values(name, array):
    """An array as nested lists that JSON can hold."""
    if array.dtype == object:
        convert = _encoded if name.endswith(BYTES_SUFFIX) else _text
        flat = [convert(name, value) for value in array.reshape(-1)]
        return _nested(flat, array.shape)
    if array.dtype.kind in "biu":
        return array.tolist()
    if array.dtype.kind == "c":
        raise _unspeakable(name, f"is {array.dtype}")
    array = array.astype(np.float64)  # float32 and the half precisions, exactly
    if not np.isfinite(array).all():
        raise _unspeakable(name, "holds NaN or infinite values")
    return array.tolist()


def _encoded(name, value):
    return {"b64": base64.b64encode(value).decode("ascii")}


def _text(name, value):
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise _unspeakable(
            name, f"holds bytes that are no text, and its name does not end in {BYTES_SUFFIX}"
        ) from None


def _nested(flat, shape):
    """Cuts a list into nested lists of a shape."""
    for size in reversed(shape[1:]):
        flat = [flat[i : i + size] for i in range(0, len(flat), size)] if size else []
    return flat if shape else flat[0]


def _rows(outputs):
    """Turns {output name: list of values} into one value or object per row."""
    counts = {len(column) if isinstance(column, list) else None for column in outputs.values()}
    if len(counts) > 1 or None in counts:
        raise RequestError(
            grpc.StatusCode.FAILED_PRECONDITION,
            'the outputs do not have a row each per instance; ask with "inputs"',
        )
    if len(outputs) == 1:
        return next(iter(outputs.values()))
    return [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]


def _unspeakable(name, what):
    """A RequestError of a result that only gRPC can carry."""
    return RequestError(
        grpc.StatusCode.OUT_OF_RANGE, f"output `{name}` {what}: JSON cannot hold it; use gRPC"
    )


def _shown(value):
    """A value as JSON, short enough for a message."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = str(value) if isinstance(value, float) and not math.isfinite(value) else None
    text = text or json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
