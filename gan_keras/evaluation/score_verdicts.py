"""Is one generator worse than another? Two sets of score cards, and a word for each score."""

from dataclasses import dataclass

from gan_keras.errors import UserError
from gan_keras.evaluation import score_tables
from gan_keras.evaluation.score_cards import ScoreCard, column

BETTER, WORSE, SAME = "better", "worse", "no difference"


@dataclass(frozen=True)
class Verdict:
    """What one score says of a candidate.

    Attributes:
        score: Name of the score, with its extractor.
        word: BETTER, WORSE or SAME: whether the intervals are apart, and on which side.
        now: The ScoreCard of what is compared with.
        candidate: The ScoreCard of the candidate.
    """

    score: str
    word: str
    now: ScoreCard
    candidate: ScoreCard


def compare(now, candidates):
    """Compares the scores that both have by the same protocol.

    Scores differ where their intervals do not overlap: two generators that are alike are called
    different less often than the intervals' level says.

    Args:
        now: ScoreCards of what is served.
        candidates: ScoreCards of what is to be served.

    Returns:
        Verdicts, in the order of the tables' columns.

    Raises:
        UserError: no score is there by the same protocol on both sides.
    """
    before, after = (
        {column(card): card for card in cards} for cards in score_tables.select([now, candidates])
    )
    found = []
    for key in before.keys() & after.keys():
        one, other = before[key], after[key]
        if one.protocol == other.protocol:
            found.append(Verdict(" ".join(filter(None, key)), _word(one, other), one, other))
    if not found:
        raise UserError(
            f"no score was measured by the same protocol on both sides ({len(now)} and"
            f" {len(candidates)} score cards); evaluate both runs in the same way"
        )
    order = [*score_tables.BEST, *sorted(each.now.metric for each in found)]
    return sorted(found, key=lambda each: (order.index(each.now.metric), each.score))


def _word(now, candidate):
    if candidate.interval["high"] < now.interval["low"]:
        below = True
    elif candidate.interval["low"] > now.interval["high"]:
        below = False
    else:
        return SAME
    return BETTER if below == (now.better == "lower") else WORSE
