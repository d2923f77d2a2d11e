"""`gan-keras-compare`: score cards of several runs in one table, if they may stand in one."""

import dataclasses
import json
import sys
from pathlib import Path

from absl import flags as absl_flags

from gan_keras import config as configs
from gan_keras.cli import flags
from gan_keras.errors import UsageError
from gan_keras.evaluation import score_cards, score_tables

PROGRAM = "gan-keras-compare"
SUMMARY = (
    "Prints the score cards of runs, folders or files side by side, and refuses those that were "
    "measured by different protocols. Usage: gan-keras-compare [--over=seed] A B ..."
)


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _compare(sys.argv[1:] if argv is None else argv))


def _define(values):
    absl_flags.DEFINE_enum(
        "over", None, ["seed"],
        "seed: combine runs that differ only in their seed, as a mean with its interval.",
        flag_values=values,
    )  # fmt: skip


def _compare(argv):
    places = [word for word in argv if not word.startswith("-")]
    values = flags.parse([word for word in argv if word.startswith("-")], PROGRAM, SUMMARY, _define)
    if not places:
        raise UsageError(f"name runs, folders or files of score cards; see {PROGRAM} --help")
    every = [score_cards.find(place) for place in places]
    groups = _told_apart(places, score_tables.select(every))
    if values.over:
        pairs = zip(map(_identity, places, groups), groups, strict=True)
        found = score_tables.over_seeds(list(pairs))
    else:
        found = [card for cards in groups for card in cards]
    print(*score_tables.table(found), *score_tables.notes(found), sep="\n")
    left_out = sum(map(len, every)) - sum(map(len, groups))
    if left_out:
        print(f"left out: {left_out} card{'s' * (left_out > 1)} of other protocols")


def _told_apart(places, groups):
    """The cards, with enough of the path before a name that runs of several folders have."""
    folders = [_folder(place) for place in places]
    having = {}
    for folder, cards in zip(folders, groups, strict=True):
        for card in cards:
            having.setdefault(card.run, set()).add(folder)

    def name(run, folder):
        if run is None or len(having[run]) < 2:
            return run
        depth = 1
        while any(_end(other, depth) == _end(folder, depth) for other in having[run] - {folder}):
            depth += 1
        end = _end(folder, depth)
        return str(end if end.name == run else end / run)

    return [
        [dataclasses.replace(card, run=name(card.run, folder)) for card in cards]
        for folder, cards in zip(folders, groups, strict=True)
    ]


def _folder(place):
    """The folder of the run that a place belongs to, or of the cards."""
    place = Path(place).resolve()
    folder = place if place.is_dir() else place.parent
    return folder.parent if folder.name == score_cards.FOLDER else folder


def _end(folder, depth):
    return Path(*folder.parts[-depth:])


def _identity(place, cards):
    """What defines a run but for its seed; without the run, the preset of its cards."""
    run = _folder(place)
    if (run / configs.CONFIG_FILE).is_file():
        return json.dumps({**configs.defining(configs.load(run)), "seed": None})
    return next((card.preset for card in cards if card.run), None)
