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
        "seed: join runs that differ in their seed alone, with the mean and its interval.",
        flag_values=values,
    )  # fmt: skip


def _compare(argv):
    places = [word for word in argv if not word.startswith("-")]
    values = flags.parse([word for word in argv if word.startswith("-")], PROGRAM, SUMMARY, _define)
    if not places:
        raise UsageError(f"name runs, folders or files of score cards; see {PROGRAM} --help")
    every = [score_cards.find(place) for place in places]
    groups = score_tables.select(every)
    if values.over:
        pairs = zip(map(_identity, places, groups), groups, strict=True)
        found = score_tables.over_seeds(list(pairs))
    else:
        found = [card for cards in groups for card in cards]
    print(*score_tables.table(found), *score_tables.notes(found), sep="\n")
    left_out = sum(map(len, every)) - sum(map(len, groups))
    if left_out:
        print(f"left out: {left_out} card{'s' * (left_out > 1)} of other protocols")


def _identity(place, cards):
    """The configuration of a run but for its seed; without the run, the preset of its cards."""
    folder = Path(place) if Path(place).is_dir() else Path(place).parent
    for run in (folder, folder.parent):
        if (run / configs.CONFIG_FILE).is_file():
            fields = dataclasses.asdict(configs.load(run))
            without = {"seed", *configs.MAY_CHANGE}
            return json.dumps({key: fields[key] for key in fields if key not in without})
    return next((card.preset for card in cards if card.run), None)
