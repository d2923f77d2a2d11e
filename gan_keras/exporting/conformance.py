"""Does TensorFlow Serving load an exported version, and answer rightly? Asked without a server.

Each rule is one of TensorFlow Serving's: its sources refuse what breaks it, or a measured server
answered wrongly. `version_files`, `version_graph` and `version_runs` hold the rules of a version
folder, `operator_files` those of `serving/`.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gan_keras.errors import UserError, visible
from gan_keras.exporting import model_config

LONGEST = 160  # characters of what was found


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one rule found.

    Attributes:
        rule: The rule, in a few words.
        found: What was found, in one line.
        ok: Whether the rule holds; None if it could not be looked at, since another one fails.
    """

    rule: str
    found: str
    ok: bool | None


class Broken(Exception):
    """A rule does not hold; the message says what was found instead."""


Rules = Mapping[str, Callable[[Any], str]]


def check(path: str | Path, serving_dir: str | Path | None = None) -> list[Finding]:
    """Checks a version, and the operator's files, by every rule.

    Args:
        path: A version folder, or a folder of versions, of which a server takes the highest.
        serving_dir: Folder of models.config, batching.config and the like; None for none.

    Returns:
        A Finding for each rule.

    Raises:
        UserError: there is no version at `path`.
    """
    folder = find(path)
    findings = check_version(folder)
    if serving_dir is not None:
        from gan_keras.exporting import operator_files

        findings += operator_files.check(Path(serving_dir), model_config.versions(folder.parent))
    return findings


def find(path: str | Path) -> Path:
    """Returns the version folder that `path` is, or the one of the highest version in it.

    Raises:
        UserError: there is none.
    """
    path = Path(path).absolute()
    numbered = path.name.isascii() and path.name.isdigit()
    # Unlike pathlib's, it takes a name that is too long.
    if os.path.isdir(path) and (numbered or (path / "saved_model.pb").exists()):
        return path
    try:
        found = model_config.versions(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be listed: {error.strerror}") from None
    if not found:
        raise UserError(
            f"{path}: no version, a folder named by a whole number; give the --export_dir of"
            " gan-keras-export, or a folder in it"
        )
    return found[max(found)]


def check_version(folder: Path, named: bool = True) -> list[Finding]:
    """Checks one version folder by every rule; all the rest is skipped where it cannot be read.

    Args:
        folder: The folder.
        named: Whether it has its name already; an export gets it last.
    """
    from gan_keras.exporting import stored, version_files, version_graph, version_runs

    findings = list(run(version_files.NAME, folder)) if named else []
    findings += run(version_files.CARD, folder)
    files = list(run(version_files.RULES, folder))
    findings += files
    if failed(files):  # There is nothing to look at.
        rest = {**version_graph.RULES, **version_runs.RULES}
        return findings + [Finding(rule, "not checked", None) for rule in rest]
    graph = stored.meta_graph(folder)
    findings += run(version_graph.RULES, stored.Stored(folder, graph))
    try:
        with version_runs.loaded(folder, graph) as session:
            findings += run(version_runs.RULES, session)
    except Exception as error:  # of whatever kind TensorFlow raises
        rules = iter(version_runs.RULES)
        findings.append(Finding(next(rules), f"cannot be loaded: {one_line(error)}", False))
        findings += [Finding(rule, "not checked", None) for rule in rules]
    return findings


def run(rules: Rules, subject: Any) -> Iterator[Finding]:
    """Yields the Finding of each rule about a subject."""
    for name, rule in rules.items():
        try:
            yield Finding(name, one_line(rule(subject)), True)
        except Broken as broken:
            yield Finding(name, one_line(broken), False)
        except Exception as error:  # of a model that nobody foresaw
            yield Finding(name, f"{type(error).__name__}: {one_line(error)}", False)


def failed(findings: Iterable[Finding]) -> list[Finding]:
    """Returns the Findings of the rules that do not hold."""
    return [each for each in findings if each.ok is False]


def table(findings: Iterable[Finding]) -> list[str]:
    """Returns Findings as the lines of a table: rule, found, ok or FAILED."""
    words = {True: "ok", False: "FAILED", None: "-"}
    rows = [("rule", "found", ""), *((one.rule, one.found, words[one.ok]) for one in findings)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 2)]
    return [f"{rule:{widths[0]}}  {ok:{widths[1]}}  {found}" for rule, found, ok in rows]


def one_line(text: object) -> str:
    """What was found, in one line that is not too long; TensorFlow's errors without traces."""
    told = str(getattr(text, "message", None) or text) or type(text).__name__
    told = visible(" ".join(told.partition("[[{{node")[0].split()))
    told = told.removeprefix("Graph execution error: ")
    return told if len(told) <= LONGEST else f"{told[:LONGEST]}..."
