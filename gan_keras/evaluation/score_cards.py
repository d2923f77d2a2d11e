"""Score cards: a number with all that one has to know before comparing it with another."""

import dataclasses
import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

from gan_keras import config as configs
from gan_keras import files
from gan_keras.errors import UsageError, UserError

FOLDER = configs.SCORES_FOLDER  # In a run's folder.
NUMBER = int | float  # JSON has whole numbers for floats too.
# What tables read of the fields that are dicts.
PARTS = {
    "interval.low": NUMBER,
    "interval.high": NUMBER,
    "interval.level": NUMBER,
    "interval.method": str,
    "protocol.dataset": str,
    "protocol.split": str,
    "protocol.num_generated": int,
    "protocol.extractor": dict,
    "protocol.extractor.name": str,
    "details.best": NUMBER | None,
    "details.modes": int | None,
}
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
    def file(self) -> str:
        """Name of the card's file: only the same score by the same protocol and seed replaces."""
        subject = f"step-{self.step:06}" if self.step is not None else self.subject
        if self.temperature != 1:
            subject += f"-temperature-{self.temperature:g}"
        extractor, count = self.protocol["extractor"]["name"], self.protocol["num_generated"]
        digest = hashlib.sha256(f"{self.measured_by} {self.seed}".encode()).hexdigest()[:8]
        name = f"{subject}-{self.metric}-{extractor}-{count}-{digest}.json"
        return name.replace(" ", "-")

    @property
    def measured_by(self) -> str:
        """The protocol as text: that of two cards is equal if their protocols are."""
        return json.dumps(self.protocol, sort_keys=True)

    @property
    def label(self) -> str:
        """The row of a table that the card belongs in."""
        if self.run is None:
            return self.subject
        cooled = f", temperature {self.temperature:g}" if self.temperature != 1 else ""
        return f"{self.run}, step {self.step:,}{cooled}"


def save(card: ScoreCard, folder: str | Path) -> Path:
    """Writes a card whole or not at all, and returns its path."""
    path = Path(folder, card.file)
    text = json.dumps(files.sealed(dataclasses.asdict(card)), indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, text.encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {files.why(error)}") from None
    return path


def any_of_step(folder: str | Path, step: int) -> bool:
    """Whether a folder has cards of a step, by the names that `ScoreCard.file` gives them."""
    return any(Path(folder).glob(f"step-{step:06}-*"))


def load(path: str | Path) -> ScoreCard:
    """Reads a card.

    Raises:
        UserError: the file is missing, or is none.
    """
    try:
        fields = json.loads(Path(path).read_text())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        fields = None
    return from_fields(fields, path)


def from_fields(fields, where):
    """Returns the card that a dict holds, as of a card's file.

    Args:
        fields: The dict.
        where: Where it comes from, for the message.

    Raises:
        UserError: it is none.
    """
    try:
        card = ScoreCard(**files.unsealed(fields))
        if not (wrong := _wrong_field(card)):
            return card
        field = f" (field {wrong})"
    except (ValueError, TypeError, AttributeError):
        field = ""
    raise UserError(
        f"{where}: not a score card of this version of gan_keras, or corrupt{field}; delete "
        "it, and make it again with gan-keras-evaluate"
    )


def _wrong_field(card):
    """Returns the first field, or part of one, that no table can show; None if there is none."""
    kinds = {item.name: item.type for item in dataclasses.fields(card)} | PARTS
    if card.metric == "modes_covered":
        kinds["details.modes"] = int
    for path, kind in kinds.items():
        value = vars(card)
        for name in path.split("."):
            value = value.get(name)
        if not isinstance(value, NUMBER if kind is float else kind):
            return path
    if card.better not in ("lower", "higher"):
        return "better"
    return "value" if math.isnan(card.value) else None


def find(place: str | Path) -> list[ScoreCard]:
    """Returns the cards of a run, a folder of cards, or a file.

    Of each score by each protocol it is that of the newest step, and of these the one that was
    written last.

    Returns:
        ScoreCards, in the order of their steps.

    Raises:
        UsageError: there are none.
        UserError: one cannot be read.
    """
    place = Path(place)
    # Not by pathlib, which raises an error for a name that is too long.
    if os.path.isfile(place):
        return [load(place)]
    is_run = os.path.isfile(place / configs.CONFIG_FILE)
    folder = place / FOLDER if is_run or os.path.isdir(place / FOLDER) else place
    # Read before they are put in order: this names a file that is not there, as of a dangling link.
    cards = {path: load(path) for path in (folder.glob("*.json") if os.path.isdir(folder) else ())}
    paths = sorted(cards, key=lambda path: (path.stat().st_mtime_ns, path))
    if not paths and is_run:
        raise UsageError(
            f"{place}: this run has no scores yet; run gan-keras-evaluate --workdir={place} first"
        )
    if not paths:
        raise UsageError(f"{place}: no score cards there; make some with gan-keras-evaluate")
    newest = {}
    for card in sorted((cards[path] for path in paths), key=lambda card: card.step or 0):
        newest[card.subject, card.temperature, column(card), card.measured_by] = card
    return list(newest.values())


def column(card: ScoreCard) -> tuple[str, str]:
    """The column of a table that a card belongs in: metric and extractor."""
    extractor = card.protocol["extractor"]["name"]
    return card.metric.replace("_", " "), "" if extractor == "none" else f"({extractor})"
