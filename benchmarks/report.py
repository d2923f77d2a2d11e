"""Results as a table to read, and as JSON with every number of every round.

A machine's speed drifts by more than most differences between programs. So contestants take turns,
and only ratios within a round are compared: two that run in the same round are slowed down by the
same drift, which their ratio does not have.

`rounds` is everywhere a list of dicts, one per round, from name to what was measured: a dict of
numbers.
"""

import contextlib
import json
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from gan_keras import files
from gan_keras.errors import UsageError


class Column(NamedTuple):
    """A number of each contestant, and beside it its ratios to those of others."""

    header: str
    key: str  # What was measured.
    form: str = ",.0f"
    # Header of a column of ratios -> maps a name to that of whom it is compared with, or None.
    over: Mapping[str, Callable] = MappingProxyType({})


def over(*others):
    """Returns a column's `over` by which everybody is compared with each of the others."""
    return {f"/ {other}": lambda name, other=other: other for other in others}


def values(rounds, name, key):
    """Returns the numbers of a contestant, one of each round that has it."""
    found = [results.get(name, {}).get(key) for results in rounds]
    return [each for each in found if each is not None]


def ratios(rounds, name, other, key):
    """Returns the numbers of a contestant over those of another one in the same round."""
    both = [(results.get(name, {}), results.get(other, {})) for results in rounds]
    return [a[key] / b[key] for a, b in both if key in a and key in b]


def number(values, form):
    """Writes numbers as `median (least–most)`; none as nothing."""
    if not values:
        return ""
    ends = (statistics.median(values), min(values), max(values))
    median, least, most = (f"{each:{form}}" for each in ends)
    return median if least == most else f"{median} ({least}–{most})"


def comparison(rounds, names, columns, title="", marked=()):
    """Returns a Markdown table: a row for each name, a column for each number and each ratio."""
    header, rows = [title], [[f"{name} *" if name in marked else name] for name in names]
    for column in columns:
        header += [column.header, *column.over]
        for name, row in zip(names, rows, strict=True):
            row.append(number(values(rounds, name, column.key), column.form))
            for whom in column.over.values():
                # Their third digit means nothing.
                row.append(number(ratios(rounds, name, whom(name), column.key), ".2f"))
    return table(header, rows)


def table(header, rows):
    """Returns a Markdown table of texts: the first column left-aligned, the others right."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(3, *map(len, column)) for column in columns]

    def line(cells):
        first, *others = zip(cells, widths, strict=True)
        texts = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
        return f"| {' | '.join(texts)} |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    return "\n".join([line(header), f"|{rule}|", *map(line, rows)])


def caption(rounds):
    """Returns the sentence below a table of ratios."""
    return f"Median (least–most) of {len(rounds)} rounds; ratios are of measurements of one round."


def check(output):
    """Finds out before minutes pass whether `write` could, and leaves what is there.

    Raises:
        UsageError: `output` is not named as JSON, or cannot be written.
    """
    path = Path(output)
    if path.suffix != ".json":
        raise UsageError(f"--output={output}: the name must end in .json; the table is put beside")
    with _writing(output), tempfile.TemporaryFile(dir=path.parent):
        pass


def write(output, document, beside=None):
    """Writes the results: `output`, and beside it other files, a dict from suffix to bytes.

    Raises:
        UsageError: `output` cannot be written.
    """
    path = Path(output)
    with _writing(output):
        files.write(path, (json.dumps(document, indent=2) + "\n").encode())
        for suffix, data in (beside or {}).items():
            files.write(path.with_suffix(suffix), data)


@contextlib.contextmanager
def _writing(output):
    try:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UsageError(f"--output={output}: {error.strerror}; choose another file") from None
