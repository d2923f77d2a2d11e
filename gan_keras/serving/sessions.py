"""A SavedModel in memory as TensorFlow Serving has it: its graph, in a session of its own.

The functions of `tf.saved_model.load` give the same bytes, but take 0.86 ms for one small picture
where a session's callable takes 0.52 (docs/performance.md). It has no public name (TensorFlow
2.21).
"""

import math

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from gan_keras.exporting import stored


def load(version):
    """Returns a session with a version's graph, its variables and tables.

    Args:
        version: It as it is stored, a `stored.Stored`.

    Raises:
        Exception: of whatever kind TensorFlow raises when it cannot be loaded.
    """
    # As outside of a session: what has no kernel for the GPU runs on the CPU.
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(version.graph.graph_def, name="")
    session = tf.compat.v1.Session(graph=graph, config=config)
    stored.start(session, version.folder, version.graph)
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
