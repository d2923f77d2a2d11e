"""Rules of a version that runs: in a session, on the CPU, as TensorFlow Serving loads and runs it.

Variables are found by their names here, and a shape is what the caller sends: what Python's own
loader would mend or check is seen as a server sees it.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gan_keras.drawing import decode_png
from gan_keras.exporting import contract, version_files, version_graph
from gan_keras.exporting.conformance import Broken, Rules, one_line
from gan_keras.exporting.stored import Stored, start

ROWS = 16  # that share a batch in the rules below
LEVELS = 127.5  # of a pixel of uint8, in one of a float picture
# How far the same row may be from itself in another batch, in levels of 255: sums of another
# order, in what the layers compute in.
CLOSE = {"float32": 1, "bfloat16": 16}

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A version in a session.

    Attributes:
        stored: As it is stored.
        session: The session, with its variables restored.
        card: Its model card.
    """

    stored: Stored
    session: Any
    card: dict[str, Any]

    def run(self, name: str, inputs: Arrays) -> dict[str, np.ndarray]:
        """Returns the outputs of a signature; a failure of the graph is an OpError."""
        definition = self.stored.signatures[name]
        feeds = {definition.inputs[key].name: value for key, value in inputs.items()}
        return self.session.run({key: info.name for key, info in definition.outputs.items()}, feeds)

    def inputs(self, name: str, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Returns inputs of a signature; a row depends on its number, int64 (n,), alone."""
        made: dict[str, np.ndarray] = {}
        for key, info in self.stored.signatures[name].inputs.items():
            sizes = [max(dim.size, 1) for dim in info.tensor_shape.dim[1:]]
            dtype = tf.as_dtype(info.dtype)
            if key == contract.LABEL:
                made[key] = (rows % max(len(self.card.get("classes", [])), 1)).astype(np.int64)
            elif dtype.is_floating:
                along = np.arange(np.prod(sizes, dtype=int)).reshape(sizes)
                angles = np.multiply.outer(rows + 1.0, along + 1.0)
                made[key] = 1.5 * np.sin(angles).astype(dtype.as_numpy_dtype)
            elif dtype == tf.string:
                made[key] = np.full([len(rows), *sizes], b"", object)
            else:
                shape = [len(rows), *(1 for _ in sizes)]
                made[key] = np.broadcast_to(
                    rows.reshape(shape).astype(dtype.as_numpy_dtype), [len(rows), *sizes]
                )
        return made


@contextlib.contextmanager
def loaded(folder: Path, graph: Any) -> Iterator[Loaded]:
    """Yields a version folder's Loaded; `graph` is its MetaGraphDef, which stays as it is."""
    definition = type(graph.graph_def)()
    definition.CopyFrom(graph.graph_def)
    for node in definition.node:
        if node.op == "Placeholder":  # A server feeds any shape.
            node.attr.pop("_output_shapes", None)
            node.attr["shape"].shape.Clear()
            node.attr["shape"].shape.unknown_rank = True
    made = tf.Graph()
    with made.as_default():
        tf.import_graph_def(definition, name="")
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    with contextlib.closing(tf.compat.v1.Session(graph=made, config=config)) as session:
        start(session, folder, graph)
        stored = Stored(folder, graph)
        yield Loaded(stored, session, version_files.card(folder))


def _warmup(version):
    """A record that fails keeps a server from loading the version."""
    found = version_graph.requests(version.stored.folder)
    for number, request in enumerate(found, start=1):
        name = request.model_spec.signature_name
        inputs = {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()}
        try:
            version.run(name, inputs)
        except (tf.errors.OpError, KeyError, ValueError) as error:
            raise Broken(f"request {number} for `{name}` fails: {one_line(error)}") from None
    return f"{len(found)} requests ran"


def _rows(version):
    for name in version.stored.signatures:
        for count in (1, 3):
            answers = version.run(name, version.inputs(name, np.arange(count)))
            for key, value in answers.items():
                if np.shape(value)[:1] != (count,):
                    raise Broken(
                        f"output `{key}` of `{name}` has shape {np.shape(value)} for {count} rows"
                    )
    return "n rows in, n rows out"


def _finite(version):
    for name in version.stored.signatures:
        for key, value in version.run(name, version.inputs(name, np.arange(ROWS))).items():
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise Broken(f"output `{key}` of `{name}` has NaN or infinite values")
    return "no NaN, no infinity"


def _alone(version):
    """A row's answer depends on nothing but the row: not on the batch, the place, the time."""
    rows = np.arange(ROWS)
    close = CLOSE.get(version.card.get("dtype", "float32"), 1)
    furthest = 0.0
    for name in version.stored.signatures:

        def ask(numbers, name=name):
            answers = version.run(name, version.inputs(name, np.asarray(numbers)))
            return {key: _levels(key, value) for key, value in answers.items()}

        whole = ask(rows)
        for what, numbers, chosen, allowed in (
            ("asked twice", rows, rows, 1),
            ("with other neighbours", np.where(rows % 2, rows + 1_000, rows), rows[::2], 1),
            ("in another place", np.roll(rows, 5), np.roll(rows, 5), close),
            ("alone", rows[:1], rows[:1], close),
        ):
            again = ask(numbers)
            places = np.flatnonzero(np.isin(numbers, chosen))
            for key, value in again.items():
                expected = [whole[key][row] for row in numbers[places]]
                apart = _apart([value[at] for at in places], expected)
                if apart > allowed:
                    raise Broken(f"output `{key}` of `{name}`: the same row differs {what}")
                furthest = max(furthest, apart)
    if not furthest:
        return "bit-identical alone, in any batch and place"
    return f"within {furthest:.2g} of 255 levels alone, in any batch and place"


def _levels(key, value):
    """An output as a list of rows, in levels of 255 where it holds pictures."""
    if value.dtype == object:
        return [_pixels(each) for each in value.reshape(-1)]
    if value.dtype.kind == "f":
        return list(value.astype(np.float64) * LEVELS)
    return list(value.astype(np.float64))


def _pixels(data):
    try:
        return decode_png(data).astype(np.float64)
    except Exception:  # no picture: compared byte by byte
        return np.frombuffer(data, np.uint8).astype(np.float64)


def _apart(some, others):
    """The greatest difference of two lists of arrays."""
    pairs = list(zip(some, others, strict=True))
    if any(one.shape != other.shape for one, other in pairs):
        return float("inf")
    with np.errstate(invalid="ignore"):  # Infinity minus itself: another rule's.
        differences = [float(np.abs(one - other).max(initial=0)) for one, other in pairs]
    return max(differences, default=0.0)


def _png(version):
    rows = np.arange(ROWS)
    pairs = [(contract.PNG_SIGNATURE, contract.SAMPLE_SIGNATURE)]
    if contract.PNG_LABEL_SIGNATURE in version.stored.signatures:
        pairs.append((contract.PNG_LABEL_SIGNATURE, contract.SAMPLE_LABEL_SIGNATURE))
    for png, sample in pairs:
        files = version.run(png, version.inputs(png, rows))[contract.PNG_BYTES]
        pictures = version.run(sample, version.inputs(sample, rows))[contract.IMAGES]
        pixels = [decode_png(file).tobytes() for file in files]
        if pixels != [picture.tobytes() for picture in pictures]:
            raise Broken(f"`{png}` and `{sample}` give different pictures for a seed")
    return f"{ROWS} seeds, the same pixels"


def _wrong(version):
    """A server checks no shapes: what the graph says of a wrong one is all a caller gets."""
    name = contract.LATENTS_SIGNATURE
    inputs = version.inputs(name, np.arange(2))
    latents = inputs[contract.LATENTS]
    inputs[contract.LATENTS] = np.concatenate([latents, latents[:, :1]], axis=1)
    _refused(version, name, inputs, f"{contract.LATENTS} must", "latents of a wrong width")
    if not version.card.get("classes"):
        return "a wrong width is named"
    name = contract.SAMPLE_LABEL_SIGNATURE
    for label in (-1, len(version.card["classes"])):
        inputs = version.inputs(name, np.arange(2)) | {contract.LABEL: np.array([0, label])}
        _refused(version, name, inputs, f"{contract.LABEL} must", f"label {label}")
    return "a wrong width and a wrong label are named"


def _refused(version, name, inputs, text, what):
    try:
        version.run(name, inputs)
    except tf.errors.InvalidArgumentError as error:
        if text in error.message:
            return
        raise Broken(f"{what}: the graph says `{one_line(error)}`") from None
    raise Broken(f"{what}: an answer, where an error is due")


RULES: Rules = {
    "warm-up runs": _warmup,
    "n rows give n rows": _rows,
    "outputs are finite": _finite,
    "a row depends on itself alone": _alone,
    "png and sample agree": _png,
    "the graph names wrong inputs": _wrong,
}
