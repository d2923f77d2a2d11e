"""Score cards: a number with all that one has to know before comparing it with another."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from gan_keras import files
from gan_keras.errors import UsageError, UserError

FOLDER = "scores"  # In a run's folder.
GENERATOR, TRAINING_IMAGES, NOISE = "generator", "real training images", "uniform noise"


@dataclass(frozen=True)
class ScoreCard:
    """One score.

    Attributes:
        metric: Its name.
        unit: Its unit, or what it is a share of.
        better: `lower` or `higher`.
        value: The score.
        interval: `low`, `high`, `level` (share of repetitions that it holds) and `method`.
        protocol: Whatever makes scores comparable if it is equal: data set, shape, split,
            numbers of real and generated samples, extractor and hash, parameters.
        subject: What was scored: GENERATOR, or a reference, TRAINING_IMAGES or NOISE.
        run: Name of the run's folder; None for a reference.
        step: Training step of the generator; None for a reference.
        preset: Of the run; None for a reference.
        training_seed: Seed of the run; None for a reference.
        seed: Seed of latents, choice of real images and resampling.
        details: What else the metric found, such as Parzen's sigma.
        version: Of gan_keras.
        wall_seconds: What the score took, features included.
        temperature: What latents were multiplied by; 1 is the prior that G was trained with.
    """

    metric: str
    unit: str
    better: str
    value: float
    interval: dict
    protocol: dict
    subject: str
    run: str | None
    step: int | None
    preset: str | None
    training_seed: int | None
    seed: int
    details: dict
    version: str
    wall_seconds: float
    temperature: float = 1.0

    @property
    def file(self):
        """Name of the card's file: cards of one subject, step, metric and extractor replace."""
        subject = f"step-{self.step:06}" if self.step is not None else self.subject
        if self.temperature != 1:
            subject += f"-temperature-{self.temperature:g}"
        extractor = self.protocol["extractor"]["name"]
        return f"{subject}-{self.metric}-{extractor}.json".replace(" ", "-")

    @property
    def label(self):
        """The row of a table that the card belongs in."""
        if self.run is None:
            return self.subject
        cooled = f", temperature {self.temperature:g}" if self.temperature != 1 else ""
        return f"{self.run}, step {self.step:,}{cooled}"


def save(card, folder):
    """Writes a card whole or not at all, and returns its path."""
    path = Path(folder, card.file)
    text = json.dumps(dataclasses.asdict(card), indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, text.encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {files.why(error)}") from None
    return path


def load(path):
    """Reads a card.

    Raises:
        UserError: the file is missing, or is none.
    """
    try:
        fields = json.loads(Path(path).read_text())
        card = ScoreCard(**fields)
        card.file  # noqa: B018 - a card without its protocol fails here
        return card
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"{path}: not a score card of this version of gan_keras") from None


def find(place):
    """Returns the cards of a run, a folder of cards, or a file: of each score the newest step.

    Raises:
        UsageError: there are none.
        UserError: one cannot be read.
    """
    place = Path(place)
    if place.is_file():
        return [load(place)]
    folder = place / FOLDER if (place / FOLDER).is_dir() else place
    cards = [load(path) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []
    if not cards or not all(isinstance(card, ScoreCard) for card in cards):
        raise UsageError(f"{place}: no score cards there; make some with gan-keras-evaluate")
    newest = {}
    for card in sorted(cards, key=lambda card: card.step or 0):
        newest[card.subject, card.temperature, *column(card)] = card
    return list(newest.values())


def check_comparable(cards):
    """Refuses to have scores of one metric and extractor side by side that no one may compare.

    Raises:
        UsageError: their protocols differ; the message says in what.
    """
    first = {}
    # References last, whose message could not name a run.
    for card in sorted(cards, key=lambda card: card.run is None):
        key = column(card)
        reference = first.setdefault(key, card)
        if card.protocol != reference.protocol:
            differences = "; ".join(_differences(reference.protocol, card.protocol))
            raise UsageError(
                f"{card.metric} of {reference.label} and of {card.label} were measured by "
                f"different protocols ({differences}); evaluate both in the same way"
            )


def table(cards):
    """Returns cards as the lines of a Markdown table: a row per subject, a column per metric.

    Raises:
        UsageError: as `check_comparable`.
    """
    check_comparable(cards)
    columns = list(dict.fromkeys(column(card) for card in cards))
    rows = {}
    for card in cards:
        rows.setdefault(card.label, {})[column(card)] = _cell(card)
    # References last, whatever the order they came in.
    labels = sorted(rows, key=lambda label: label in (TRAINING_IMAGES, NOISE))
    arrow = {column(card): {"lower": "↓", "higher": "↑"}[card.better] for card in cards}
    lines = [["", *(" ".join(filter(None, (*key, arrow[key]))) for key in columns)]]
    lines += [[label, *(rows[label].get(key, "–") for key in columns)] for label in labels]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    text = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return [text[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *text[1:]]


def column(card):
    """The column of a table that a card belongs in: metric and extractor."""
    extractor = card.protocol["extractor"]["name"]
    return card.metric.replace("_", " "), "" if extractor == "none" else f"({extractor})"


def _cell(card):
    return f"{card.value:.4g} [{card.interval['low']:.4g}, {card.interval['high']:.4g}]"


def _differences(one, other, path=""):
    """Which leaves of two nested dicts differ."""
    for key in sorted({*one, *other}):
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differences(a, b, f"{path}{key}.")
        elif a != b:
            yield f"{path}{key} {a!r} and {b!r}"
