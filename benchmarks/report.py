"""A benchmark's results as a table to read, and as JSON with every number of every round."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

from gan_keras import files
from gan_keras.errors import UsageError


def table(header, rows):
    """Returns a Markdown table whose first column is left-aligned and whose others are right.

    Args:
        header: The columns' names.
        rows: Lists of texts, as long as the header.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(3, *map(len, column)) for column in columns]

    def line(cells):
        first, *others = zip(cells, widths, strict=True)
        texts = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
        return f"| {' | '.join(texts)} |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    return "\n".join([line(header), f"|{rule}|", *map(line, rows)])


def number(spread, form=",.0f"):
    """Writes a Spread as `median (least-most)`."""
    if spread.least == spread.most:
        return f"{spread.median:{form}}"
    return f"{spread.median:{form}} ({spread.least:{form}}–{spread.most:{form}})"


def ratio(spread):
    """Writes a Spread of ratios, whose third digit means nothing."""
    return number(spread, ".2f")


def now():
    """Returns the time of day, UTC, for the JSON file."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def default_output(name):
    return f"runs/benchmarks/{name}.json"


def check_output(output):
    """Makes the folder of the results before anything is measured.

    Returns:
        The Path of the JSON file.

    Raises:
        UsageError: the file cannot be written there, or is named like the table.
    """
    path = Path(output)
    if path.suffix != ".json":
        raise UsageError(f"--output={output}: the name must end in .json; the table is put beside")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(None, "is a folder")
    except OSError as error:
        raise UsageError(f"--output={output}: {error.strerror}") from None
    return path


def write(path, document, text=None):
    """Writes the results: `path`, and beside it the table as `.md`.

    Args:
        path: The JSON file.
        document: Dicts, lists, numbers, texts and dataclasses.
        text: The table; not yet, while rounds are still missing.

    Raises:
        UsageError: the disk is full, or the folder is gone.
    """
    try:
        files.write(path, (json.dumps(document, indent=2, default=_plain) + "\n").encode())
        if text is not None:
            files.write(path.with_suffix(".md"), (text + "\n").encode())
    except OSError as error:
        raise UsageError(f"--output={path}: {error.strerror}") from None


def _plain(value):
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    raise TypeError(f"not for JSON: {value!r}")
