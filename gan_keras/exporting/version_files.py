"""Rules of a version folder's files, and of its name."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from gan_keras.exporting import contract, digests, model_config, stored
from gan_keras.exporting.conformance import Broken, Rules
from gan_keras.exporting.stored import SAVED_MODEL, VARIABLES


def meta_graph(folder: Path) -> Any:
    """Returns the MetaGraphDef that a server takes.

    Raises:
        Broken: there is none, or more than one.
        OSError: the file cannot be read.
    """
    try:
        return stored.meta_graph(folder)
    except ValueError as error:
        raise Broken(str(error)) from None


def card(folder: Path) -> dict[str, Any]:
    """Returns the model card, or {} where there is none that can be read."""
    try:
        return digests.read_card(folder)
    except (OSError, ValueError):
        return {}


def _name(folder):
    name = folder.name
    if not (name.isascii() and name.isdigit()):
        raise Broken(f"`{name}` is no whole number: no server sees it")
    if name != str(int(name)):
        raise Broken(f"`{name}` is padded: a server takes it for version {int(name)}")
    if int(name) > model_config.MAX_VERSION:
        raise Broken(f"{name} is beyond int64")
    same = [
        other.name
        for other in folder.parent.iterdir()
        if other.name.isascii() and other.name.isdigit() and int(other.name) == int(name)
    ]
    if len(same) > 1:
        raise Broken(f"{' and '.join(sorted(same))} are the same version")
    return f"version {name}"


def _saved_model(folder):
    nodes = len(meta_graph(folder).graph_def.library.function)
    return f"{SAVED_MODEL} with {nodes} functions"


def _variables(folder):
    """A server skips a missing file, is AVAILABLE, and fails at every request."""
    if not (folder / f"{VARIABLES}.index").exists():
        raise Broken(f"no {VARIABLES}.index: a server becomes AVAILABLE and answers nothing")
    try:
        reader = tf.train.load_checkpoint(str(folder / VARIABLES))
        names = reader.get_variable_to_shape_map()
        for name in names:
            reader.get_tensor(name)  # compares its checksum
    except (tf.errors.OpError, IndexError, ValueError, RuntimeError) as error:
        raise Broken(f"cannot be read whole: {error}") from None
    size = sum(path.stat().st_size for path in folder.glob(f"{VARIABLES}.*"))
    return f"{len(names)} tensors, {size:,} bytes"


def _card(folder):
    found = card(folder)
    try:
        step, dim = int(found["step"]), int(found["config"]["latent_dim"])
        if not isinstance(found.get("classes", []), list):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise Broken(f"{contract.MODEL_CARD_FILE}: missing or corrupt") from None
    return f"step {step:,}, {dim} latents"


def _digests(folder):
    if not card(folder):
        return "no model card to compare with"
    try:
        digests.check(folder)
    except ValueError as error:
        raise Broken(str(error)) from None
    files = card(folder).get(digests.FIELD, {})
    return f"{len(files)} files" if files else "the model card has no digests"


# Of a folder that has its name.
NAME: Rules = {"a whole number names it, and no other folder": _name}
# Where one of these fails, there is no model to look at.
RULES: Rules = {
    "saved_model.pb is whole": _saved_model,
    "variables are there, and whole": _variables,
}
CARD: Rules = {
    "the model card is there": _card,
    "files are as the card says": _digests,
}
