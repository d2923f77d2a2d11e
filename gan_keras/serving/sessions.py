"""A SavedModel in memory as TensorFlow Serving has it: its graph, in a session of its own.

The functions of `tf.saved_model.load` give the same bytes. One small picture takes them 0.85 ms
where a session takes 0.52, and the rest of a request about one: hence a session's callable, which
has no public name (TensorFlow 2.21).
"""

import math
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

INIT_SIGNATURE = "__saved_model_init_op"  # TensorFlow adds it to every SavedModel
SERVE = "serve"  # the tag of the graph that is served


def stored(folder):
    """Returns the MetaGraphDef of a SavedModel's folder, as it is stored.

    Raises:
        ValueError: it has none that is to be served.
    """
    saved = saved_model_pb2.SavedModel.FromString(Path(folder, "saved_model.pb").read_bytes())
    for graph in saved.meta_graphs:
        if SERVE in graph.meta_info_def.tags:
            return graph
    raise ValueError(f"saved_model.pb has no graph with the tag `{SERVE}`")


def signature_defs(meta_graph):
    """Returns a MetaGraphDef's SignatureDefs by name, without TensorFlow's own."""
    defs = meta_graph.signature_def
    return {name: defs[name] for name in defs if name != INIT_SIGNATURE}


def load(folder, meta_graph):
    """Returns a session with the graph, its variables and tables.

    Args:
        folder: The SavedModel's folder.
        meta_graph: The MetaGraphDef that `stored` found there.

    Raises:
        Exception: of whatever kind TensorFlow raises when it cannot be loaded.
    """
    # As outside of a session: what has no kernel for the GPU runs on the CPU.
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    with tf.Graph().as_default() as graph:
        session = tf.compat.v1.Session(graph=graph, config=config)
        saver = tf.compat.v1.train.import_meta_graph(meta_graph)
        if saver:
            saver.restore(session, str(Path(folder, "variables", "variables")))
    started = [info.name for info in meta_graph.signature_def[INIT_SIGNATURE].outputs.values()]
    started += graph.get_collection("saved_model_main_op")  # of TensorFlow 1
    assets = {
        asset.tensor_info.name: str(Path(folder, "assets", asset.filename))
        for asset in meta_graph.asset_file_def
    }
    if started:
        session.run(started, assets)
    return session


class Function:
    """A signature's part of a session's graph; threads may share it.

    Args:
        session: The session, which lives as long as one of its functions.
        definition: The SignatureDef.
        seconds: The longest that a call may take.

    Attributes:
        inputs: TensorSpecs by name, sorted, as a SavedModel keeps no order of its own.
        outputs: The same of what it returns.

    Raises:
        ValueError: an input or output is no dense tensor.
    """

    def __init__(self, session, definition, seconds=math.inf):
        self.inputs, self.outputs = _specs(definition.inputs), _specs(definition.outputs)
        options = config_pb2.CallableOptions(
            feed=[definition.inputs[name].name for name in self.inputs],
            fetch=[definition.outputs[name].name for name in self.outputs],
        )
        if math.isfinite(seconds):
            # A graph may loop for ever; only this ends it, or the session's own end.
            options.run_options.timeout_in_ms = math.ceil(1000 * seconds)
        self._call = session._make_callable_from_options(options)

    def __call__(self, arrays):
        """Returns all outputs by name, of inputs by name.

        Raises:
            tf.errors.OpError: the graph refuses them, the time is over, or the session is closed.
        """
        values = self._call(*[arrays[name] for name in self.inputs])
        return dict(zip(self.outputs, values, strict=True))


def _specs(infos):
    for name, info in infos.items():
        if info.WhichOneof("encoding") != "name":
            raise ValueError(f"`{name}` of a signature is no dense tensor")
    return {
        name: tf.TensorSpec(tf.TensorShape(infos[name].tensor_shape), infos[name].dtype, name)
        for name in sorted(infos)
    }
