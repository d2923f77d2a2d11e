"""One loaded version of a model: its signatures, their inputs' checks, and their run."""

import math
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from gan_keras.exporting import contract, digests, stored, warm_up
from gan_keras.serving import sessions, tensors
from gan_keras.serving.limits import UNLIMITED
from gan_keras.serving.request_error import RequestError, invalid, one_line

# The inputs that this package exports, with type and rank; `label` is for models with classes.
OWN_INPUTS = {
    contract.LATENTS: ({tf.float32}, 2),
    contract.SEED: ({tf.int64}, 1),
    contract.LABEL: ({tf.int32, tf.int64}, 1),
}
OWN_SIGNATURES = {
    contract.LATENTS_SIGNATURE,
    contract.SEED_LATENTS_SIGNATURE,
    contract.SAMPLE_SIGNATURE,
    contract.PNG_SIGNATURE,
    contract.SAMPLE_LABEL_SIGNATURE,
    contract.PNG_LABEL_SIGNATURE,
    contract.CLASSES_SIGNATURE,
}
MAX_RANK = 64  # numpy's
FOREIGN = "serve only what you trust, with --allow_foreign_models"

GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


def check_origin(folder):
    """Looks at a version without loading it: a graph may do anything at all when it is loaded.

    This finds a model of another kind, given by mistake. A graph made to do harm passes it.

    Args:
        folder: The version's folder.

    Raises:
        ValueError: it has a signature that this package does not export.
    """
    for key, definition in _stored(folder).signatures.items():
        if key not in OWN_SIGNATURES:
            raise ValueError(f"signature `{key}` is none of gan-keras-export; {FOREIGN}")
        for name, info in definition.inputs.items():
            dtypes, rank = OWN_INPUTS.get(name, ((), None))
            shape = info.tensor_shape
            if info.dtype not in dtypes or shape.unknown_rank or len(shape.dim) != rank:
                raise ValueError(
                    f"input `{name}` of signature `{key}` is none of gan-keras-export; {FOREIGN}"
                )


def _stored(folder):
    return stored.Stored(Path(folder), stored.meta_graph(Path(folder)))


class Servable:
    """A version in memory, ready to answer; threads may share it.

    Args:
        name: The model's name.
        version: The version's number.
        folder: The version's folder, with a SavedModel.
        seconds: The longest that one prediction may take.

    Raises:
        ValueError: a file is not what the exporter wrote.
        Exception: of whatever kind TensorFlow raises when the folder cannot be loaded.
    """

    def __init__(self, name: str, version: int, folder: Path, seconds: float = math.inf):
        self.name, self.version = name, version
        digests.check(folder)
        graph = _stored(folder)
        self.signature_defs = graph.signatures
        self._session = sessions.load(graph)
        self._functions = {
            key: sessions.Function(self._session, definition, seconds)
            for key, definition in self.signature_defs.items()
        }
        # In bfloat16 a product of matrices is added up in another order in a batch of another size.
        self._joins = all(
            each.type != tf.bfloat16 for node in graph.nodes() for each in node.attr.values()
        )
        self._made = {}  # Signature by its name and its limits
        self.card = _card(folder)
        self.warmups = self._warm(Path(folder, contract.WARMUP_FILE))

    def _warm(self, file):
        """Answers the recorded requests, so that no caller meets a slow first one."""
        if not file.exists():
            return 0
        done = 0
        for count, record in enumerate(warm_up.records(file), start=1):
            if count > warm_up.MOST_RECORDS:
                raise ValueError(f"{file.name} has more than {warm_up.MOST_RECORDS} records")
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if not log.HasField("predict_log"):
                continue  # of a method that is not served here
            request = log.predict_log.request
            try:
                signature = self.signature(request.model_spec.signature_name)
                signature(signature.decode(request.inputs))
            except RequestError as error:
                if error.code == grpc.StatusCode.DEADLINE_EXCEEDED:
                    continue  # the operator's limit; the version is as good as it was
                raise ValueError(f"warm-up request {count}: {error}") from None
            done += 1
        return done

    def signature(self, name, limits=UNLIMITED):
        """Returns the signature of this name, within limits; '' means `serving_default`."""
        name = name or tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
        if name not in self._functions:
            raise RequestError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"model `{self.name}` version {self.version} has no signature `{name}`;"
                f" it has {_listing(sorted(self._functions))}",
            )
        key = name, limits
        if key not in self._made:
            self._made[key] = Signature(name, self._functions[name], limits, self._joins)
        return self._made[key]

    def close(self):
        """Ends all predictions, those under way as well."""
        self._session.close()


class Signature:
    """A function of named tensors that refuses what does not fit, before it runs.

    Args:
        name: Its name.
        function: The Function.
        limits: The Limits of a request.
        joins: Whether rows of one batch may come from several requests, where the signature is
            one of this package.
    """

    def __init__(self, name, function, limits, joins):
        self.name = name
        self.inputs, self.outputs = function.inputs, list(function.outputs)
        self.most_rows = limits.rows
        self.joins = joins and _by_row(name, function)
        self._function, self._limits = function, limits

    def check(self, shapes_and_dtypes):
        """Raises a RequestError unless the inputs, given as {name: (shape, dtype)}, all fit."""
        for name in shapes_and_dtypes:
            if name not in self.inputs:
                raise invalid(
                    f"signature `{self.name}` has no input `{name}`;"
                    f" it takes {_listing(self.inputs)}"
                )
        for name, spec in self.inputs.items():
            if name not in shapes_and_dtypes:
                raise invalid(f"input `{name}` of signature `{self.name}` is missing")
            shape, dtype = shapes_and_dtypes[name]
            shape = tuple(shape)
            if dtype != spec.dtype:
                raise invalid(
                    f"input `{name}`: dtype {getattr(dtype, 'name', dtype)} received,"
                    f" {spec.dtype.name} expected"
                )
            if min(shape, default=0) < 0 or not _fits(shape, spec.shape):
                raise invalid(f"input `{name}`: shape {shape} received, {spec.shape} expected")
            # An empty batch would hang TensorFlow Serving's batching, and is never meant.
            if shape and shape[0] == 0:
                raise invalid(f"input `{name}`: shape {shape} received, one row or more expected")
            if shape:
                self.check_rows(name, shape[0])
            if math.prod(shape) * max(spec.dtype.size or 0, 1) > self._limits.body_bytes:
                raise invalid(
                    f"input `{name}`: shape {shape} received,"
                    f" at most {self._limits.body_bytes:,} bytes expected"
                )

    def check_rows(self, name, rows):
        """Raises a RequestError unless so many rows may be asked for."""
        if rows > self._limits.rows:
            raise invalid(
                f"input `{name}`: {rows:,} rows received, at most {self._limits.rows:,} expected"
            )

    def decode(self, protos):
        """Returns TensorProtos by name as arrays; checked first, as a shape is cheap to claim."""
        claims = {}
        for name, proto in protos.items():
            try:
                dtype = tf.as_dtype(proto.dtype)
            except TypeError:
                dtype = f"number {proto.dtype}"
            if proto.tensor_shape.unknown_rank:
                raise invalid(f"input `{name}`: a shape of unknown rank received")
            if len(proto.tensor_shape.dim) > MAX_RANK:
                raise invalid(f"input `{name}`: a shape of more than {MAX_RANK} dimensions")
            claims[name] = [dim.size for dim in proto.tensor_shape.dim], dtype
        self.check(claims)
        arrays = {}
        for name, proto in protos.items():
            try:
                arrays[name] = tensors.array(proto, self.inputs[name].dtype)
            except (TypeError, ValueError):
                raise invalid(
                    f"input `{name}`: the values do not fill shape {tuple(claims[name][0])}"
                    f" of {claims[name][1].name}"
                ) from None
        return arrays

    def choose(self, names):
        """Returns the outputs of these names, all of them if there are none."""
        if len(set(names)) < len(names):
            raise invalid(f"output_filter has a name twice: {_listing(names)}")
        for name in names:
            if name not in self.outputs:
                raise invalid(
                    f"signature `{self.name}` has no output `{name}`;"
                    f" it has {_listing(self.outputs)}"
                )
        return list(names) or self.outputs

    def __call__(self, arrays, outputs=()):
        """Returns the chosen outputs of checked inputs, arrays by name."""
        chosen = self.choose(outputs)
        try:
            results = self._function(arrays)
        except tf.errors.OpError as error:
            raise RequestError(GRPC_CODES[error.error_code], one_line(error)) from None
        return {name: _array(results[name], self._function.outputs[name]) for name in chosen}


def _by_row(name, function):
    """Whether this package's signature has a row for each row, which depends on that one alone."""
    return (
        name in OWN_SIGNATURES
        and function.inputs.keys() <= OWN_INPUTS.keys()
        and all(
            spec.shape.rank and spec.shape[0] is None
            for spec in [*function.inputs.values(), *function.outputs.values()]
        )
    )


def _fits(shape, expected):
    """Whether a tuple is a shape that a TensorShape allows; TensorFlow's own answer is slow."""
    if expected.rank is None:
        return True
    dims = expected.as_list()
    return len(dims) == len(shape) and all(
        dim is None or dim == size for dim, size in zip(dims, shape, strict=True)
    )


def _card(folder):
    """The model card, a dict; None where there is none."""
    try:
        return digests.read_card(folder)
    except FileNotFoundError:
        return None


def _array(value, spec):
    """A result as an array; strings as objects, or a lone one would lose its last zero bytes."""
    return np.asarray(value, object if spec.dtype == tf.string else None)


def _listing(names):
    return ", ".join(f"`{name}`" for name in names) or "none"
