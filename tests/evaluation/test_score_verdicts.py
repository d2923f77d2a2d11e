"""Which of two generators is worse: by intervals, where the protocols agree."""

import dataclasses

import pytest

from gan_keras.errors import UserError
from gan_keras.evaluation.score_cards import ScoreCard
from gan_keras.evaluation.score_verdicts import BETTER, SAME, WORSE, compare


def card(low, high, better="lower", metric="frechet_distance", samples=100, step=1):
    return ScoreCard(
        metric=metric,
        unit="",
        better=better,
        value=(low + high) / 2,
        interval={"low": low, "high": high, "level": 0.95, "method": "bootstrap"},
        protocol={
            "extractor": {"name": "pixels"},
            "num_generated": samples,
            "dataset": "digits",
            "split": "train",
        },
        subject="generator",
        run="run",
        step=step,
        preset="digits",
        training_seed=0,
        seed=0,
        details={},
        version="0",
        wall_seconds=0.0,
    )


@pytest.mark.parametrize(
    ("now", "candidate", "better", "word"),
    [
        ((4, 6), (1, 3), "lower", BETTER),
        ((4, 6), (7, 9), "lower", WORSE),
        ((4, 6), (1, 3), "higher", WORSE),
        ((4, 6), (7, 9), "higher", BETTER),
        ((4, 6), (5, 9), "lower", SAME),
        ((4, 6), (6, 9), "lower", SAME),  # they touch
        ((4, 6), (1, 9), "higher", SAME),
    ],
)
def test_words(now, candidate, better, word):
    (verdict,) = compare([card(*now, better)], [card(*candidate, better)])
    assert (verdict.word, verdict.score) == (word, "frechet distance (pixels)")
    assert (verdict.now.interval["low"], verdict.candidate.interval["low"]) == (
        now[0],
        candidate[0],
    )


def test_only_equal_protocols_are_compared():
    recall = {"metric": "recall", "better": "higher"}
    now = [card(4, 6), card(0.1, 0.2, **recall)]
    candidate = [card(7, 9, samples=50), card(0.3, 0.4, **recall)]
    (verdict,) = compare(now, candidate)
    assert (verdict.score, verdict.word) == ("recall (pixels)", BETTER)
    common = compare(now, [*candidate, card(4, 5)])
    assert [each.word for each in common] == [SAME, BETTER]
    assert [each.now.metric for each in common] == ["frechet_distance", "recall"]


def test_nothing_to_compare():
    with pytest.raises(UserError, match="no score was measured by the same protocol"):
        compare([card(4, 6)], [card(7, 9, samples=50)])
    with pytest.raises(UserError, match=r"\(0 and 1 score cards\)"):
        compare([], [dataclasses.replace(card(7, 9))])
