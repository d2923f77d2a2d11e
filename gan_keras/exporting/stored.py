"""A version's graph as its SavedModel has it, and what a session of it needs first."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

TAG = "serve"  # The MetaGraphDef that a server takes.
SAVED_MODEL = "saved_model.pb"
VARIABLES = "variables/variables"
INIT_SIGNATURE = "__saved_model_init_op"  # TensorFlow adds it to every SavedModel.
MAIN_OP = "saved_model_main_op"  # The collection that had it in TensorFlow 1.


@dataclasses.dataclass(frozen=True)
class Stored:
    """A version as it is stored.

    Attributes:
        folder: Its folder.
        graph: Its MetaGraphDef.
    """

    folder: Path
    graph: Any

    @property
    def signatures(self) -> dict[str, Any]:
        """The SignatureDefs by name, without TensorFlow's own."""
        found = self.graph.signature_def
        return {name: found[name] for name in sorted(found) if name != INIT_SIGNATURE}

    def nodes(self) -> Iterator[Any]:
        """Yields the nodes of the graph and of its functions."""
        yield from self.graph.graph_def.node
        for function in self.graph.graph_def.library.function:
            yield from function.node_def


def meta_graph(folder: Path) -> Any:
    """Returns the MetaGraphDef that a server takes.

    Raises:
        ValueError: there is none, or more than one.
        OSError: the file cannot be read.
    """
    try:
        saved = saved_model_pb2.SavedModel.FromString((folder / SAVED_MODEL).read_bytes())
    except FileNotFoundError:
        raise ValueError(f"no {SAVED_MODEL}") from None
    except DecodeError:
        raise ValueError(f"{SAVED_MODEL} is no SavedModel, or not all of one") from None
    found = [graph for graph in saved.meta_graphs if TAG in graph.meta_info_def.tags]
    if len(found) != 1:
        raise ValueError(f"{len(found)} graphs with the tag `{TAG}`, where a server takes one")
    return found[0]


def start(session: Any, folder: Path, graph: Any) -> None:
    """Gives a version's graph in a session its variables and tables, as a server does.

    Args:
        session: The session, of this graph.
        folder: The version's folder.
        graph: Its MetaGraphDef.

    Raises:
        tf.errors.OpError: they are not there, or not whole.
    """
    saver = graph.saver_def
    if saver.restore_op_name:
        prefix = str(folder / VARIABLES)
        session.run(saver.restore_op_name, {saver.filename_tensor_name: prefix})
    first = []
    if INIT_SIGNATURE in graph.signature_def:
        first += [info.name for info in graph.signature_def[INIT_SIGNATURE].outputs.values()]
    if MAIN_OP in graph.collection_def:
        first += graph.collection_def[MAIN_OP].node_list.value
    if first:
        files = {
            asset.tensor_info.name: str(folder / "assets" / asset.filename)
            for asset in graph.asset_file_def
        }
        session.run(first, files)
