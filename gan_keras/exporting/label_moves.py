"""Moving a version label in a --model_config_file: one number changes, the rest stays as it was.

Comments and spacing are the operator's, so that the file is edited as text. What was moved is kept
as a comment in the same file, by which a move can be undone.
"""

import dataclasses
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from gan_keras.errors import UserError
from gan_keras.exporting import model_config

# Tokens of protobuf's text form: comments, strings, punctuation, anything else.
_TOKEN = re.compile(
    r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}<>:;,\[\]]|[^\s{}<>:;,\[\]\#"']+"""
)
_OPENING, _CLOSING, _QUOTES = ("{", "<"), ("}", ">"), ('"', "'")
# As a comment: model, label, the version before, the version after, whether it undid a move.
_MOVE = re.compile(
    r"^# gan-keras-promote: (?P<model>\S+) (?P<label>\w+) (?P<before>\d+|none) -> (?P<after>\d+)"
    r"(?P<undone> \(rollback\))?,",
    re.MULTILINE,
)


@dataclasses.dataclass
class _Field:
    """A field of the text: its name, and where its value is; `inner` of a message."""

    name: str
    start: int
    end: int
    inner: list["_Field"] = dataclasses.field(default_factory=list)


def moved(
    text: str, where: str, model: str, label: str, version: int, rollback: bool = False
) -> str:
    """Returns the text of a configuration with a label at another version.

    Args:
        text: A text ModelServerConfig.
        where: What messages begin with: where the text comes from.
        model: Name of the model.
        label: The label; added if the model does not have it.
        version: Where it is to point.
        rollback: Whether this undoes a move.

    Raises:
        UserError: the text is written in a way that is not understood here.
    """
    settings = _models(text, where)
    before = settings[model].labels.get(label)
    edited = _edited(text, model, label, version)
    labels = {**settings[model].labels, label: version}
    settings[model] = dataclasses.replace(settings[model], labels=labels)
    if edited is None or _models(edited, where) != settings:
        raise UserError(
            f"{where}: cannot be edited as it is written; write version_labels"
            f' {{ key: "{label}" value: {version} }} into it by hand'
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = (
        f"# gan-keras-promote: {model} {label} {'none' if before is None else before} -> {version}"
        f"{' (rollback)' if rollback else ''}, {now}{_line_end(text)}"
    )
    return f"{edited}{'' if edited.endswith(chr(10)) else _line_end(text)}{line}"


def before(text: str, model: str, label: str) -> int | None:
    """Returns the version that a label had before its last move that was not undone."""
    earlier: list[int | None] = []
    for found in _MOVE.finditer(text):
        if (found["model"], found["label"]) != (model, label):
            continue
        if found["undone"]:
            del earlier[-1:]
        else:
            earlier.append(None if found["before"] == "none" else int(found["before"]))
    return earlier[-1] if earlier else None


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _models(text: str, where: str) -> dict[str, model_config.ModelSettings]:
    return {each.name: each for each in model_config.from_text(text, where)}


def _edited(text: str, model: str, label: str, version: int) -> str | None:
    config = next(
        (each for each in _all(_fields(text), "model_config_list", "config")
         if any(_string(text, name) == model for name in _all(each.inner, "name"))),
        None,
    )  # fmt: skip
    if config is None:
        return None
    places = []  # (start, end, what to write there)
    for each in _all(config.inner, "version_labels"):
        if any(_string(text, key) == label for key in _all(each.inner, "key")):
            values = list(_all(each.inner, "value"))
            places += [(value.start, value.end, str(version)) for value in values]
            if not values:  # 0, the default
                places.append((each.end - 1, each.end - 1, f" value: {version} "))
    if not places:
        at = config.end - 1  # before the closing bracket, on a line of its own
        line = text.rfind("\n", 0, at) + 1
        indent = text[line:at] if not text[line:at].strip() else ""
        newline = _line_end(text)
        written = f'  version_labels {{ key: "{label}" value: {version} }}{newline}{indent}'
        places.append((at, at, written if indent or line == at else f"{newline}{written}"))
    for start, end, written in sorted(places, reverse=True):
        text = text[:start] + written + text[end:]
    return text


def _all(fields: list[_Field], *path: str) -> Iterator[_Field]:
    """Yields the fields at a path of names."""
    for each in fields:
        if each.name == path[0]:
            if len(path) == 1:
                yield each
            else:
                yield from _all(each.inner, *path[1:])


def _string(text: str, field: _Field) -> str:
    """A string's value; names and labels hold nothing that is escaped."""
    return text[field.start : field.end].strip("\"'")


def _fields(text: str) -> list[_Field]:
    """Returns the fields of a text that protobuf has accepted."""
    tokens = [found for found in _TOKEN.finditer(text) if not found[0].startswith("#")]
    position = 0

    def message(closed):
        nonlocal position
        found = []
        while position < len(tokens) and tokens[position][0] not in closed:
            name = tokens[position][0]
            position += 1
            if name in (",", ";"):
                continue
            if tokens[position][0] == ":":
                position += 1
            if tokens[position][0] == "[":  # several values of the field
                position += 1
                while tokens[position][0] != "]":
                    if tokens[position][0] == ",":
                        position += 1
                    else:
                        found.append(value(name))
                position += 1
            else:
                found.append(value(name))
        return found

    def value(name):
        nonlocal position
        first = tokens[position]
        position += 1
        if first[0] not in _OPENING:
            # protobuf joins strings that stand side by side.
            while first[0][0] in _QUOTES and tokens[position][0][0] in _QUOTES:
                position += 1
            return _Field(name, first.start(), tokens[position - 1].end())
        inner = message(_CLOSING)
        position += 1
        return _Field(name, first.start(), tokens[position - 1].end(), inner)

    return message(())
