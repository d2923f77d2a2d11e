"""Rules of a version's graph and signatures, as they are stored; nothing runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from gan_keras.exporting import contract, version_files, warm_up
from gan_keras.exporting.conformance import Broken, Rules

BYTES_SUFFIX = "_bytes"  # Over REST outputs of such names are {"b64": ...}.

# What TensorFlow Serving's JSON can carry (util/json_tensor.cc).
JSON_TYPES = {
    *(tf.float32, tf.float64, tf.bool, tf.string),
    *(tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint32, tf.uint64),
}
PLAIN = {contract.LATENTS_SIGNATURE, contract.SAMPLE_SIGNATURE, contract.PNG_SIGNATURE}
LABELLED = PLAIN | {contract.SAMPLE_LABEL_SIGNATURE, contract.PNG_LABEL_SIGNATURE}
# Exports of earlier versions do not have them.
OPTIONAL = {contract.SEED_LATENTS_SIGNATURE, contract.CLASSES_SIGNATURE}


def requests(folder: Path) -> list[Any]:
    """Returns the PredictRequests of the warm-up file.

    Raises:
        Broken: the file is missing, or a server would not load it, or not use it.
    """
    file = folder / contract.WARMUP_FILE
    if not file.exists():
        raise Broken(f"no {contract.WARMUP_FILE}: first requests are slow")
    found = []
    try:
        for number, record in enumerate(warm_up.records(file), start=1):
            if number > warm_up.MOST_RECORDS:
                raise Broken(f"more than {warm_up.MOST_RECORDS:,} records")
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if not log.predict_log.HasField("request"):
                raise Broken(f"record {number} is no PredictionLog of a PredictRequest")
            found.append(log.predict_log.request)
    except tf.errors.OpError as error:
        raise Broken(f"no TFRecord file without compression: {error.message}") from None
    except DecodeError:
        raise Broken(f"record {len(found) + 1} is no PredictionLog") from None
    return found


def tensors(definition: Any) -> Iterator[tuple[str, str, Any]]:
    """Yields `input` or `output`, name and TensorInfo of each tensor of a signature."""
    for kind, infos in (("input", definition.inputs), ("output", definition.outputs)):
        for name in sorted(infos):
            yield kind, name, infos[name]


def _names(stored):
    expected = LABELLED if version_files.card(stored.folder).get("classes") else PLAIN
    found = set(stored.signatures)
    told = [f"missing: {name}" for name in sorted(expected - found)]
    told += [f"unexpected: {name}" for name in sorted(found - expected - OPTIONAL)]
    if told:
        raise Broken("; ".join(told))
    return ", ".join(stored.signatures)


def _batch(stored):
    """Every first dimension is the batch; requests of different callers are joined along it."""
    count = 0
    for name, definition in stored.signatures.items():
        for kind, tensor, info in tensors(definition):
            shape = info.tensor_shape
            where = f"{kind} `{tensor}` of `{name}`"
            if shape.unknown_rank:
                raise Broken(f"{where} has no known rank")
            if not shape.dim:
                raise Broken(f"{where} is a scalar, where its rank must be 1 or more")
            if shape.dim[0].size != -1:
                raise Broken(f"{where} has {shape.dim[0].size} rows, where any number must do")
            count += 1
        if not definition.inputs:
            raise Broken(f"`{name}` has no input")
        if not definition.outputs:
            raise Broken(f"`{name}` has no output")
    return f"{count} inputs and outputs, all (batch, ...)"


def _required(stored):
    for name, definition in stored.signatures.items():
        if definition.defaults:
            given = ", ".join(f"`{each}`" for each in sorted(definition.defaults))
            raise Broken(f"`{name}` has a default for {given}, which no server knows")
    return "no input has a default"


def _bytes(stored):
    for name, definition in stored.signatures.items():
        for tensor, info in definition.outputs.items():
            if (info.dtype == tf.string.as_datatype_enum) != tensor.endswith(BYTES_SUFFIX):
                raise Broken(
                    f"output `{tensor}` of `{name}` is {tf.as_dtype(info.dtype).name}: strings,"
                    f" and no others, are named ..{BYTES_SUFFIX}, or the JSON is invalid"
                )
    return f"strings are named ..{BYTES_SUFFIX}"


def _json(stored):
    found = set()
    for name, definition in stored.signatures.items():
        for kind, tensor, info in tensors(definition):
            dtype = tf.as_dtype(info.dtype)
            if dtype not in JSON_TYPES:
                raise Broken(f"{kind} `{tensor}` of `{name}` is {dtype.name}: REST answers 501")
            found.add(dtype.name)
    return ", ".join(sorted(found))


def _must_compile(item):
    # Reading an attribute that is not there would make an empty one.
    return "_XlaMustCompile" in item.attr and item.attr["_XlaMustCompile"].b


def _xla(stored):
    for function in stored.graph.graph_def.library.function:
        if _must_compile(function):
            raise Broken(f"jit_compile=True in {function.signature.name}")
    for node in stored.nodes():
        if node.op.startswith("Xla") or _must_compile(node):
            raise Broken(f"node {node.name} ({node.op}) is to be compiled by XLA")
    return "no jit_compile"


def _python(stored):
    for node in stored.nodes():
        if "PyFunc" in node.op:
            raise Broken(f"node {node.name} ({node.op}) calls Python")
    return f"{sum(1 for _ in stored.nodes()):,} nodes"


def _warmup(stored):
    found = requests(stored.folder)
    covered = set()
    for number, request in enumerate(found, start=1):
        name = request.model_spec.signature_name
        if name not in stored.signatures:
            raise Broken(f"request {number} is for the signature `{name}`, which is not there")
        expected = {tensor: info.dtype for tensor, info in stored.signatures[name].inputs.items()}
        given = {tensor: proto.dtype for tensor, proto in request.inputs.items()}
        if expected != given:
            raise Broken(f"request {number} for `{name}` does not have its inputs and types")
        shapes = [proto.tensor_shape.dim for proto in request.inputs.values()]
        sizes = {shape[0].size if shape else 0 for shape in shapes}
        if max(sizes) > contract.MAX_BATCH_SIZE:
            raise Broken(f"request {number} has more than {contract.MAX_BATCH_SIZE} rows")
        covered |= {(name, size) for size in sizes}
    missing = [
        (name, size)
        for name in stored.signatures
        for size in contract.ALLOWED_BATCH_SIZES
        if (name, size) not in covered
    ]
    if missing:
        raise Broken(f"`{missing[0][0]}` with {missing[0][1]} rows is not in the warm-up")
    return f"{len(found)} requests, every signature at {list(contract.ALLOWED_BATCH_SIZES)} rows"


RULES: Rules = {
    "the signatures are the contract's": _names,
    "first dimensions are the batch": _batch,
    "every input is required": _required,
    "strings, and no others, end in _bytes": _bytes,
    "JSON can carry the types": _json,
    "nothing is compiled by XLA": _xla,
    "nothing calls Python": _python,
    "warm-up covers all": _warmup,
}
