"""A benchmark's results as a table to read, and as JSON with every number of every round."""

import json
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import rounds as played
from gan_keras import files
from gan_keras.errors import UsageError


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


def number(spread, form=",.0f"):
    """Writes a Spread as `median (least-most)`."""
    if spread.least == spread.most:
        return f"{spread.median:{form}}"
    return f"{spread.median:{form}} ({spread.least:{form}}–{spread.most:{form}})"


def value(rounds, name, key, form=",.0f"):
    """Writes the Spread of a number over the rounds."""
    return number(played.values(rounds, name, key), form)


def ratio(rounds, name, other, key):
    """Writes the Spread of ratios within a round; their third digit means nothing."""
    return number(played.ratios(rounds, name, other, key), ".2f")


def caption(rounds):
    """Returns the sentence below a table of ratios."""
    return f"Median (least–most) of {len(rounds)} rounds; ratios are of measurements of one round."


def now():
    """Returns the time of day, UTC, for the JSON file."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(output, document, text=None):
    """Writes the results: `output`, and beside it the table as `.md` once there is one.

    Raises:
        UsageError: the file is named like the table, or cannot be written.
    """
    path = Path(output)
    if path.suffix != ".json":
        raise UsageError(f"--output={output}: the name must end in .json; the table is put beside")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, (json.dumps(document, indent=2) + "\n").encode())
        if text is not None:
            files.write(path.with_suffix(".md"), (text + "\n").encode())
    except OSError as error:
        raise UsageError(f"--output={output}: {error.strerror}; choose another file") from None
