"""What is wrong in a version's graph, or in its warm-up file, is found without running it."""

from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from gan_keras.exporting import conformance, contract, version_graph
from gan_keras.exporting.stored import Stored
from tests.exporting.wrong_exports import failures, logged, request, signature, write


def half(graph):
    signature(graph, "serving_default").outputs["images"].dtype = types_pb2.DT_HALF


def renamed(graph, name, old, new):
    outputs = signature(graph, name).outputs
    outputs[new].CopyFrom(outputs[old])
    del outputs[old]


def compiled(graph):
    graph.graph_def.library.function[0].attr["_XlaMustCompile"].b = True


def compiled_call(graph):
    graph.graph_def.node[0].attr["_XlaMustCompile"].b = True


def default(graph):
    signature(graph).defaults["seed"].CopyFrom(tf.make_tensor_proto([0], tf.int64))


@pytest.mark.parametrize(
    ("rule", "change", "told"),
    [
        ("the signatures", lambda g: g.signature_def.pop("png"), "missing: png"),
        ("the signatures", lambda g: g.signature_def["jpeg"], "unexpected: jpeg"),
        (
            "first dimensions",
            lambda g: signature(g).inputs["seed"].tensor_shape.ClearField("dim"),
            "input `seed` of `sample` is a scalar",
        ),
        (
            "first dimensions",
            lambda g: setattr(signature(g).outputs["images"].tensor_shape.dim[0], "size", 4),
            "output `images` of `sample` has 4 rows, where any number must do",
        ),
        (
            "first dimensions",
            lambda g: setattr(signature(g).inputs["seed"].tensor_shape, "unknown_rank", True),
            "input `seed` of `sample` has no known rank",
        ),
        ("first dimensions", lambda g: signature(g).inputs.clear(), "`sample` has no input"),
        ("first dimensions", lambda g: signature(g).outputs.clear(), "`sample` has no output"),
        ("every input", default, "`sample` has a default for `seed`"),
        ("strings", lambda g: renamed(g, "png", "png_bytes", "png"), "output `png` of `png` is st"),
        ("strings", lambda g: renamed(g, "sample", "images", "image_bytes"), "is uint8: strings"),
        ("JSON", half, "output `images` of `serving_default` is float16"),
        ("nothing is compiled", compiled, "jit_compile=True in "),
        ("nothing is compiled", compiled_call, "is to be compiled by XLA"),
        (
            "nothing calls Python",
            lambda g: setattr(g.graph_def.library.function[0].node_def[0], "op", "EagerPyFunc"),
            "(EagerPyFunc) calls Python",
        ),
    ],
)
def test_graphs(good, graph, rule, change, told):
    change(graph)
    found = failures(conformance.run(version_graph.RULES, Stored(good, graph)))
    (name,) = (name for name in found if name.startswith(rule))
    assert told in found[name]


def test_the_embedded_compilation_of_tensorflow_is_the_one_looked_for():
    """What `jit_compile=True` leaves in a graph."""

    @tf.function(jit_compile=True)
    def inner(x):
        return x + 1

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def outer(x):
        return inner(x)

    definition = outer.get_concrete_function().graph.as_graph_def()
    graph = tf.compat.v1.MetaGraphDef(graph_def=definition)
    found = failures(
        conformance.run(
            {"xla": version_graph.RULES["nothing is compiled by XLA"]},
            Stored(Path(), graph),
        )
    )
    assert "xla" in found


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([logged(request())], "`latents` with 1 rows is not in the warm-up"),
        ([logged(request())] * 1001, "more than 1,000 records"),
        ([request()], "record 1 is no PredictionLog"),  # passes silently, and warms nothing
        ([logged(request()), b"\xff\xff"], "record 2 is no PredictionLog"),
        ([logged(request("jpeg"))], "request 1 is for the signature `jpeg`"),
        ([logged(request(dtype=tf.int32))], "request 1 for `sample` does not have its inputs and"),
        ([logged(request(key="seeds"))], "request 1 for `sample` does not have its inputs and"),
        ([logged(request(rows=65))], "request 1 has more than 64 rows"),
        (None, "no assets.extra/tf_serving_warmup_requests"),
        ("GZIP", "no TFRecord file without compression"),
    ],
)
def test_warm_up_files(copy, graph, messages, told):
    if messages is None:
        (copy / contract.WARMUP_FILE).unlink()
    elif messages == "GZIP":
        write(copy, [logged(request())], "GZIP")
    else:
        write(copy, messages)
    found = failures(conformance.run(version_graph.RULES, Stored(copy, graph)))
    assert list(found) == ["warm-up covers all"]
    assert told in found["warm-up covers all"]
