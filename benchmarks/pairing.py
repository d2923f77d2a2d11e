"""Comparing in pairs: contestants take turns, and only ratios within a round are compared.

A machine's speed drifts by more than most differences between programs. Two that run within the
same round are slowed down by the same drift, which their ratio does not have.
"""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The middle and the ends of some numbers."""

    median: float
    least: float
    most: float


def spread(values):
    """Returns the Spread of one number or more.

    Raises:
        ValueError: there is none.
    """
    values = list(values)
    if not values:
        raise ValueError("a spread needs at least one number")
    return Spread(statistics.median(values), min(values), max(values))


def play(names, rounds, measure):
    """Measures everybody once per round, in turn: A B C, A B C, ...

    Args:
        names: The contestants, in the order in which they take turns.
        rounds: How many rounds.
        measure: Called with (round, name), where rounds count from 1; returns what was measured.

    Yields:
        For each round that is over, a dict from name to what was measured.
    """
    for number in range(1, rounds + 1):
        yield {name: measure(number, name) for name in names}


def ratios(rounds, name, other):
    """Returns name's number over that of another, round by round.

    Args:
        rounds: Dicts from name to a positive number, one per round.
        name: A name in each of them.
        other: Another.
    """
    return [numbers[name] / numbers[other] for numbers in rounds]
