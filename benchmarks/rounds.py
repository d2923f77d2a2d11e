"""Comparing within rounds: contestants take turns, and only ratios within a round are compared.

A machine's speed drifts by more than most differences between programs. Two that run within the
same round are slowed down by the same drift, which their ratio does not have.

`rounds` is everywhere a list of dicts, one per round, from name to what was measured: a dict of
numbers.
"""

import statistics
from typing import NamedTuple


class Spread(NamedTuple):
    """The middle and the ends of some numbers."""

    median: float
    least: float
    most: float


def spread(values):
    """Returns the Spread of one number or more."""
    values = list(values)
    if not values:
        raise ValueError("a spread needs at least one number")
    return Spread(statistics.median(values), min(values), max(values))


def play(names, rounds, measure):
    """Measures everybody once per round, in turn: A B C, A B C, ...

    `measure` is called with (round, name), where rounds count from 1. For each round that is over,
    yields a dict from name to what was measured.
    """
    for number in range(1, rounds + 1):
        yield {name: measure(number, name) for name in names}


def values(rounds, name, key):
    """Returns the Spread of a number over the rounds."""
    return spread(results[name][key] for results in rounds)


def ratios(rounds, name, other, key):
    """Returns the Spread of a number over that of another contestant in the same round."""
    return spread(results[name][key] / results[other][key] for results in rounds)
