"""What is wrong in a version's answers is found by running it."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from gan_keras.exporting import conformance, contract, version_files, version_runs
from tests.exporting.wrong_exports import LATENT_DIM, failures, logged, signature, write


def answered(graph, name, output, function, of=None):
    """Lets a signature's output be `function` of its first input, or of its output `of`."""
    infos = signature(graph, name)
    info = infos.outputs[of] if of else next(iter(infos.inputs.values()))
    source = info.name.partition(":")[0]
    with tf.Graph().as_default() as made:
        given = tf.compat.v1.placeholder(info.dtype, name=source)
        with tf.name_scope("wrong"):
            answer = tf.identity(function(given), name=f"{name}_{output}")
    graph.graph_def.node.extend(node for node in made.as_graph_def().node if node.name != source)
    infos.outputs[output].name = answer.name
    infos.outputs[output].dtype = answer.dtype.as_datatype_enum


def pixels(values):
    """Pictures of one pixel, of a number for each row."""
    return tf.cast(tf.reshape(values % 256, (-1, 1, 1, 1)), tf.uint8)


def wrong_records(copy):
    made = predict_pb2.PredictRequest()
    made.model_spec.signature_name = contract.LATENTS_SIGNATURE
    made.inputs[contract.LATENTS].CopyFrom(tf.make_tensor_proto(tf.zeros([1, LATENT_DIM + 1])))
    write(copy, [logged(made)])


def of_latents(function):
    return lambda graph: answered(graph, "serving_default", "images", function)


def of_seed(function):
    return lambda graph: answered(graph, "sample", "images", function)


@pytest.mark.parametrize(
    ("rule", "change", "told"),
    [
        ("n rows", of_seed(lambda seed: tf.constant(1.0)), "shape () for 1 rows"),
        ("n rows", of_seed(lambda seed: pixels(tf.tile(seed, [2]))), "shape (2, 1, 1, 1) for 1 ro"),
        ("outputs are finite", of_latents(lambda z: z / 0.0), "NaN or infinite values"),
        # The mean of a batch, as of a batch normalisation that was exported in training.
        (
            "a row depends",
            of_latents(lambda z: z - tf.reduce_mean(z, 0)),
            "the same row differs with other neighbours",
        ),
        (
            "a row depends",
            of_seed(lambda seed: pixels(seed * 0 + seed[0] * 9 + tf.size(seed, tf.int64))),
            "the same row differs in another place",
        ),
        (
            "a row depends",
            of_seed(lambda seed: pixels(seed + 5 * tf.range(tf.size(seed, tf.int64)))),
            "the same row differs in another place",
        ),
        (
            "a row depends",
            of_seed(lambda seed: pixels(seed + 5 * tf.size(seed, tf.int64))),
            "the same row differs alone",
        ),
        (
            "a row depends",
            of_latents(lambda z: z + tf.random.uniform(tf.shape(z))),
            "the same row differs asked twice",
        ),
        (
            "png and sample agree",
            lambda g: answered(g, "sample", "images", lambda x: 255 - x, of="images"),
            "give different pictures",
        ),
        (
            "the graph names wrong",
            of_latents(lambda z: tf.reduce_sum(z, 1, keepdims=True)),
            "latents of a wrong width: an answer, where an error is due",
        ),
        (
            "the graph names wrong",
            of_latents(lambda z: tf.matmul(z, tf.zeros([LATENT_DIM, 2]))),
            "latents of a wrong width: the graph says",
        ),
    ],
)
def test_runs(good, graph, rule, change, told):
    change(graph)
    with version_runs.loaded(good, graph) as version:
        found = failures(conformance.run(version_runs.RULES, version))
    (name,) = (name for name in found if name.startswith(rule))
    assert told in found[name]


def test_a_warm_up_that_fails(copy, graph):
    wrong_records(copy)
    with version_runs.loaded(copy, graph) as version:
        found = failures(conformance.run(version_runs.RULES, version))
    assert "request 1 for `serving_default` fails: " in found["warm-up runs"]
    assert f"latents must have shape (batch, {LATENT_DIM}), not" in found["warm-up runs"]


def test_variables_that_a_server_does_not_find(copy):
    """As Keras' own variables once were: restored by Python's loader, by name missing."""
    graph = version_files.meta_graph(copy)
    stored = saved_model_pb(copy)
    for node in stored.meta_graphs[0].graph_def.node:
        if node.name == graph.saver_def.restore_op_name:
            node.op = "NoOp"
            node.attr.clear()
            del node.input[:]
    (copy / "saved_model.pb").write_bytes(stored.SerializeToString())
    found = failures(conformance.check_version(copy))
    assert "for `png` fails" in found["warm-up runs"]


def saved_model_pb(folder):
    from tensorflow.core.protobuf import saved_model_pb2

    return saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())


def test_a_graph_that_does_not_load_is_one_line(copy, capsys):
    stored = saved_model_pb(copy)
    stored.meta_graphs[0].saver_def.restore_op_name = "nothing"
    (copy / "saved_model.pb").write_bytes(stored.SerializeToString())
    found = failures(conformance.check_version(copy))
    assert found["warm-up runs"].startswith("cannot be loaded: ")
