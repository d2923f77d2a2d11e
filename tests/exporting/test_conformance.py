"""A good export passes every rule; one that is made wrong on purpose fails the rule it breaks."""

import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from gan_keras import networks
from gan_keras.cli import check_export
from gan_keras.errors import UserError
from gan_keras.exporting import (
    conformance,
    contract,
    digests,
    saved_model,
    served,
    version_files,
    version_graph,
    version_runs,
)

LATENT_DIM = 6
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Version folder 1 of an export as `saved_model.export` makes it."""
    folder = tmp_path_factory.mktemp("conformance") / "1"
    generator, _ = networks.build("mlp", shape=(4, 4, 1), latent_dim=LATENT_DIM, width=4, seed=0)
    module = served.Served(generator, "normal")
    signatures = module.signatures()
    tf.saved_model.save(module, str(folder), signatures=signatures)
    saved_model._write_warmup(folder, signatures)
    card = {"step": 3, "classes": [], "config": {"latent_dim": LATENT_DIM}}
    (folder / contract.MODEL_CARD_FILE).write_text(json.dumps(card))
    return folder


@pytest.fixture
def copy(good, tmp_path):
    """A copy of it, to be made wrong."""
    return Path(shutil.copytree(good, tmp_path / "exports" / "1"))


@pytest.fixture
def graph(good):
    """Its MetaGraphDef, to be made wrong."""
    return version_files.meta_graph(good)


def failures(findings):
    return {each.rule: each.found for each in conformance.failed(findings)}


def test_a_good_export_passes_every_rule_and_the_table_says_so(good, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)  # where serving/ is
    assert check_export.run([str(good.parent)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(good)
    assert lines[1].split() == ["rule", "found"]
    assert lines[-1] == "all rules hold"
    rules = [*version_files.NAME, *version_files.CARD, *version_files.RULES]
    rules += [*version_graph.RULES, *version_runs.RULES]
    rules += ["models.config is accepted", "batches are those of the warm-up"]
    for rule in rules:
        (line,) = (line for line in lines if line.startswith(f"{rule}  "))
        assert line.removeprefix(rule).split()[0] == "ok", line
    assert "bit-identical alone, in any batch and place" in "\n".join(lines)


def test_a_wrong_export_has_exit_status_1_and_is_named(copy, capsys, monkeypatch):
    monkeypatch.chdir(copy)
    shutil.rmtree(copy / "variables")
    assert check_export.run([str(copy)]) == 1
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "FAILED" in line and "variables" in line)
    assert "no variables/variables.index: a server becomes AVAILABLE and answers nothing" in line
    assert sum(" -       not checked" in line for line in lines) >= 10
    assert lines[-1].startswith("1 of ")


@pytest.mark.parametrize(
    ("argv", "status", "told"),
    [
        ([], 2, "give one version folder"),
        (["a", "b"], 2, "give one version folder"),
        (["."], 1, "no version, a folder named by a whole number"),
        (["missing"], 1, "cannot be listed"),
        (["--serving_dir=missing", "."], 2, "--serving_dir=missing: no folder"),
    ],
)
def test_mistakes_are_one_line(argv, status, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_export.run(argv) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


@pytest.mark.parametrize(
    ("name", "beside", "told"),
    [
        ("01", None, "is padded"),
        ("v2", None, "is no whole number"),
        (str(2**63), None, "is beyond int64"),
        ("1", "001", "001 and 1 are the same version"),
    ],
)
def test_names_of_version_folders(name, beside, told, tmp_path):
    for each in filter(None, (name, beside)):
        (tmp_path / each).mkdir()
    ((rule, found),) = failures(conformance.run(version_files.NAME, tmp_path / name)).items()
    assert rule in version_files.NAME
    assert told in found


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_file(folder):
    card = json.loads((folder / contract.MODEL_CARD_FILE).read_text())
    card["files"] = digests.of(folder)
    (folder / contract.MODEL_CARD_FILE).write_text(json.dumps(card))
    (folder / contract.WARMUP_FILE).write_text("")


def two_graphs(folder):
    stored = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(stored + stored)  # Messages one after another join.


@pytest.mark.parametrize(
    ("rule", "damage", "told"),
    [
        ("the model card", lambda at: (at / "model_card.json").unlink(), "missing or corrupt"),
        ("the model card", lambda at: (at / "model_card.json").write_text("{}"), "missing or corr"),
        (
            "the model card",
            lambda at: (at / "model_card.json").write_text('{"step": 3, "sha256": "x"}'),
            "missing or corrupt",
        ),
        ("files are as", other_file, "assets.extra/tf_serving_warmup_requests is corrupt"),
        ("saved_model.pb", lambda at: (at / "saved_model.pb").unlink(), "no saved_model.pb"),
        ("saved_model.pb", lambda at: cut(at / "saved_model.pb"), "is no SavedModel, or not all"),
        ("saved_model.pb", two_graphs, "2 graphs with the tag `serve`"),
        ("variables", lambda at: (at / "variables/variables.index").unlink(), "no variables/vari"),
        (
            "variables",
            lambda at: cut(at / "variables/variables.data-00000-of-00001"),
            "cannot be read whole",
        ),
    ],
)
def test_files(copy, rule, damage, told):
    damage(copy)
    rules = {**version_files.CARD, **version_files.RULES}
    ((name, found),) = failures(conformance.run(rules, copy)).items()
    assert name.startswith(rule)
    assert told in found


def signature(graph, name="sample"):
    return graph.signature_def[name]


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
    found = failures(conformance.run(version_graph.RULES, version_graph.Stored(good, graph)))
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
            version_graph.Stored(Path(), graph),
        )
    )
    assert "xla" in found


def request(name="sample", rows=1, dtype=tf.int64, key="seed"):
    made = predict_pb2.PredictRequest()
    made.model_spec.signature_name = name
    made.inputs[key].CopyFrom(tf.make_tensor_proto(tf.zeros([rows], dtype)))
    return made


def logged(made):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(made)
    return log


def write(folder, messages, options=""):
    with tf.io.TFRecordWriter(str(folder / contract.WARMUP_FILE), options) as records:
        for message in messages:
            records.write(message if isinstance(message, bytes) else message.SerializeToString())


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
    found = failures(conformance.run(version_graph.RULES, version_graph.Stored(copy, graph)))
    assert list(found) == ["warm-up covers all"]
    assert told in found["warm-up covers all"]


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


def test_an_export_that_breaks_a_rule_is_never_published(small_run, tmp_path, monkeypatch):
    warm = saved_model._write_warmup
    monkeypatch.setattr(saved_model, "_write_warmup", lambda folder, made: warm(folder, {}))
    with pytest.raises(UserError, match=r"nothing was exported.* is not in the warm-up"):
        saved_model.export(small_run, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []
