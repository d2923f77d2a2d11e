"""`gan-keras-compare`: score cards of several runs in one table, if they may stand in one."""

import sys

from gan_keras.cli import flags
from gan_keras.errors import UsageError
from gan_keras.evaluation import score_cards

PROGRAM = "gan-keras-compare"
SUMMARY = (
    "Prints the score cards of runs, folders or files side by side, and refuses those that were "
    "measured by different protocols. Usage: gan-keras-compare A B ..."
)


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _compare(sys.argv[1:] if argv is None else argv))


def _compare(argv):
    places = [word for word in argv if not word.startswith("-")]
    flags.parse([word for word in argv if word.startswith("-")], PROGRAM, SUMMARY, lambda _: None)
    if not places:
        raise UsageError(f"name runs, folders or files of score cards; see {PROGRAM} --help")
    found = [card for place in places for card in score_cards.find(place)]
    print(*score_cards.table(found), sep="\n")
