"""From canary to stable, and back: the scores compared, a label moved, the server waited for."""

import contextlib
import dataclasses
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gan_keras import files
from gan_keras.client.server_status import ServerStatus
from gan_keras.errors import UsageError, UserError
from gan_keras.evaluation import score_cards, score_tables, score_verdicts
from gan_keras.exporting import contract, digests, label_moves, model_config

logger = logging.getLogger(__name__)

PAUSE = 0.5  # seconds between two questions to the server
AVAILABLE = "AVAILABLE"


class Labels:
    """The labels of one model in a --model_config_file.

    Args:
        path: The file.
        model: Name of the model.

    Raises:
        UsageError: the file cannot be read, or does not have the model.
    """

    def __init__(self, path: str | Path, model: str = contract.MODEL_NAME) -> None:
        self._path, self._model = Path(path).resolve(), model  # A link stays one.
        self._where = f"{model_config.FLAG}={path}"
        self._text = model_config.read_text(path)
        settings = {each.name: each for each in model_config.from_text(self._text, self._where)}
        if model not in settings:
            names = ", ".join(f"`{name}`" for name in settings)
            raise UsageError(f"{self._where}: no model `{model}`; --model may be {names}")
        self.settings = settings[model]

    def version(self, label: str) -> int:
        """Returns the version that a label points at.

        Raises:
            UsageError: the model does not have the label.
        """
        if label not in self.settings.labels:
            names = ", ".join(f"`{name}`" for name in sorted(self.settings.labels)) or "none"
            raise UsageError(
                f"{self._where}: model `{self._model}` has no label `{label}`; it has {names}"
            )
        return self.settings.labels[label]

    def before(self, label: str) -> int:
        """Returns the version that a label pointed at before it was moved last.

        Raises:
            UsageError: the file has no record of it.
        """
        version = label_moves.before(self._text, self._model, label)
        if version is None:
            raise UsageError(
                f"--rollback: {self._path} has no record of an earlier version of `{label}`"
                f" of `{self._model}`; move the label by hand"
            )
        return version

    def check_served(self, version: int, export_dir: str | Path) -> None:
        """Raises a UsageError unless a server serves the version, by its model_version_policy."""
        try:
            found = model_config.versions(Path(export_dir))
        except OSError as error:
            raise UsageError(f"--export_dir={export_dir}: {error.strerror}") from None
        if version not in found:
            raise UsageError(f"--export_dir={export_dir}: no version {version} there")
        if version not in self.settings.choose(found):
            raise UsageError(
                f"{self._where}: version {version} is not served; name it in"
                " model_version_policy first"
            )

    def move(self, label: str, version: int, rollback: bool = False) -> None:
        """Lets a label point at a version: one atomic write, and the rest stays as it is.

        Raises:
            UserError: the file was changed meanwhile, or cannot be written.
        """
        text = label_moves.moved(self._text, self._where, self._model, label, version, rollback)
        with _alone(self._path.parent):
            if model_config.read_text(self._path) != self._text:
                raise UserError(f"{self._where}: was changed by another meanwhile; try again")
            try:
                files.write(self._path, text.encode(), keep=True)
            except OSError as error:
                raise UserError(f"{self._where}: cannot be written: {files.why(error)}") from None
        was = self.settings.labels.get(label, "nothing")
        logger.info(
            "moved: label `%s` of `%s` from %s to %d in %s",
            *(label, self._model, was, version, self._path),
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No two promoters are in it at the same time; the file itself is another after each move."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # of a file system that locks no folder
            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def cards_of(
    export_dir: str | Path, version: int, places: Sequence[str] = ()
) -> list[score_cards.ScoreCard]:
    """Returns the score cards of an exported version.

    They stand in its model card; those that were measured after the export are looked for in
    `places`: runs, folders or files of score cards.

    Raises:
        UserError: the version is not there, or has no model card.
    """
    path = Path(export_dir, str(version), contract.MODEL_CARD_FILE)
    try:
        card = digests.read_card(path.parent)
        run, step, temperature = card.get("run"), card["step"], card.get("temperature", 1.0)
    except (OSError, ValueError, KeyError, AttributeError):
        raise UserError(
            f"{path}: missing or corrupt; --export_dir must hold version {version}"
        ) from None
    found = [score_cards.from_fields(fields, path) for fields in card.get("scores", [])]
    for place in places:
        found += [
            each
            for each in score_cards.find(place)
            if (each.run, each.step, each.temperature) == (run, step, temperature)
        ]
    return found


def compare(
    export_dir: str | Path, now: int, candidate: int, places: Sequence[str] = ()
) -> list[score_verdicts.Verdict]:
    """Compares the scores of two exported versions, and logs them as a table.

    Raises:
        UserError: one has no scores, or they have none of the same protocol.
    """
    cards = {}
    for version in (now, candidate):
        cards[version] = cards_of(export_dir, version, places)
        if not cards[version]:
            raise UserError(
                f"version {version} has no score cards; run gan-keras-evaluate on its run and"
                " give --scores=RUN, or promote without a comparison by --force"
            )
    verdicts = score_verdicts.compare(cards[now], cards[candidate])
    told = score_tables.table(
        [_named(each.now, now) for each in verdicts]
        + [_named(each.candidate, candidate) for each in verdicts]
    )
    for line in told:
        logger.info("%s", line)
    for each in verdicts:
        logger.info("%s: version %d is %s", each.score, candidate, _word(each))
    return verdicts


def _word(verdict):
    same = verdict.word == score_verdicts.SAME
    return "not different, the intervals overlap" if same else verdict.word


def _named(card, version):
    return dataclasses.replace(card, run=f"version {version}: {card.run}")


def refuse_worse(verdicts: Sequence[score_verdicts.Verdict], version: int, force: bool) -> None:
    """Raises a UserError if a score is worse, unless that is wanted."""
    worse = [each.score for each in verdicts if each.word == score_verdicts.WORSE]
    if not worse:
        return
    told = f"version {version} is worse in {', '.join(worse)}"
    if not force:
        raise UserError(f"{told}; nothing was moved (--force moves the label all the same)")
    logger.warning("%s; moved all the same (--force)", told)


def wait_available(status: ServerStatus, version: int, seconds: float) -> None:
    """Waits until a server says that it has a version.

    Raises:
        UserError: it does not, within so many seconds; or it cannot be reached.
    """
    state, _ = _until(lambda: status.state(version), lambda told: told == AVAILABLE, seconds)
    if state != AVAILABLE:
        raise UserError(
            f"--server={status.where}: version {version} is not {AVAILABLE} after {seconds:g} s"
            f" ({state}); nothing was moved: name it in model_version_policy, and look at the"
            " server's log"
        )
    logger.info("%s: version %d is %s", status.where, version, AVAILABLE)


def wait_labelled(status: ServerStatus, label: str, version: int, seconds: float) -> None:
    """Waits until a label means a version to the server, so that it has read the file.

    Raises:
        UserError: it does not, within so many seconds; or it cannot be reached.
    """
    found, waited = _until(lambda: status.labelled(label), lambda told: told == version, seconds)
    if found != version:
        raise UserError(
            f"--server={status.where}: `{label}` is still {found or 'unknown'} after"
            f" {seconds:g} s, though the file says {version}; does the server read it"
            " (--model_config_file_poll_wait_seconds), and what does its log say?"
        )
    logger.info("%s: `%s` is version %d after %.1f s", status.where, label, version, waited)


def _until(
    ask: Callable[[], Any], fits: Callable[[Any], bool], seconds: float
) -> tuple[Any, float]:
    """Returns the first answer that fits, or the last one, and after how long it came."""
    start = time.monotonic()
    while True:
        answer = ask()
        waited = time.monotonic() - start
        if fits(answer) or waited > seconds:
            return answer, waited
        time.sleep(min(PAUSE, max(seconds - waited, 0.01)))
