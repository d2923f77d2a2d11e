"""Score cards side by side: which of them may be, and what a reader has to know beside them."""

import dataclasses
from collections.abc import Hashable, Iterable, Sequence

from gan_keras.config import best_score
from gan_keras.errors import UsageError
from gan_keras.evaluation.score_cards import NOISE, TRAINING_IMAGES, ScoreCard, column

WIDTH = 120  # Columns of a terminal that a table fits, if one score does.
BEST_POSSIBLE = "best possible"

# Of each score the name, in the order of the columns, and the best value of any generator. Where
# it depends on the data it is in a card's details, as `best`; Parzen's has no bound.
BEST = {
    "frechet_distance": 0.0,
    "kernel_distance": 0.0,
    "precision": 1.0,
    "recall": 1.0,
    "density": 1.0,
    "coverage": 1.0,
    "parzen": None,
    "jsd": 0.0,
    "modes_covered": None,
    "high_quality": None,
    "mode_kl": 0.0,
    "label_accuracy": 1.0,
}


def metric_names(words: Iterable[str]) -> list[str]:
    """Returns the names of scores, of which some may be those of the literature."""
    return [best_score.full_name(word) for word in words]


def select(groups: Sequence[list[ScoreCard]]) -> list[list[ScoreCard]]:
    """Chooses one protocol for each score, where places have cards of several.

    It is one that all places with this score have, if there is any; of these the one with the
    most samples, and then the one that was used last.

    Args:
        groups: Lists of ScoreCards, one per run, as `score_cards.find` returns them.

    Returns:
        The lists, with the cards of other protocols left out.
    """
    chosen: list[set] = [set() for _ in groups]
    for key in {column(card) for cards in groups for card in cards}:
        protocols = [
            {card.measured_by: card for card in cards if column(card) == key} for cards in groups
        ]
        common = set.intersection(*(set(each) for each in protocols if each))
        for keep, each in zip(chosen, protocols, strict=True):
            fitting = [text for text in each if text in common] or list(each)
            if fitting:
                # Of equals the last, as `max` would take the first.
                most = max(fitting[::-1], key=lambda text: each[text].protocol["num_generated"])
                keep.add((key, most))
    return [
        [card for card in cards if (column(card), card.measured_by) in keep]
        for cards, keep in zip(groups, chosen, strict=True)
    ]


def over_seeds(runs: Sequence[tuple[Hashable, list[ScoreCard]]]) -> list[ScoreCard]:
    """Joins the cards of runs that differ in nothing but the training seed.

    Args:
        runs: Pairs of what identifies a configuration without its seed, hashable, and the
            ScoreCards of one run of it.

    Returns:
        ScoreCards whose value is the mean over the runs, and whose interval says where the mean
        over all seeds is (Student's t); references as they were.

    Raises:
        UsageError: the protocols differ, a configuration has only one run, or a seed is there
            twice.
    """
    check_comparable([card for _, cards in runs for card in cards])
    references: list[ScoreCard] = []
    groups: dict[tuple, list[ScoreCard]] = {}
    for identity, cards in runs:
        for card in cards:
            if card.run is None:
                references.append(card)
            else:
                key = identity, card.step, card.temperature, column(card)
                groups.setdefault(key, []).append(card)
    joined = [_joined(cards) for cards in groups.values()]
    labels: dict[str, set] = {}
    for (identity, *_), card in zip(groups, joined, strict=True):
        labels.setdefault(card.label, set()).add(identity)
    return [
        # Two configurations of one preset: the first run's name tells them apart.
        dataclasses.replace(card, run=f"{card.run} as {cards[0].run}")
        if len(labels[card.label]) > 1
        else card
        for card, cards in zip(joined, groups.values(), strict=True)
    ] + references


def _joined(cards):
    first = cards[0]
    seeds = [card.training_seed for card in cards]
    if len(cards) < 2:
        raise UsageError(
            f"--over=seed: {first.metric} of {first.label} has no other run of the same "
            "configuration, step and temperature; give two that differ in --seed alone"
        )
    if len(set(seeds)) < len(seeds):
        raise UsageError(
            f"--over=seed: of {', '.join(card.label for card in cards)} two have the same seed; "
            "give each run once"
        )
    # Not before: SciPy, which they import, takes a second, and no other table needs it.
    from gan_keras.evaluation import intervals
    from gan_keras.metrics import bootstrap

    values = [float(card.value) for card in cards]
    interval = bootstrap.mean_interval(values, intervals.LEVEL)
    return dataclasses.replace(
        first,
        run=f"{first.preset}, {len(cards)} seeds",
        value=interval.estimate,
        interval={
            "low": interval.low,
            "high": interval.high,
            "level": intervals.LEVEL,
            "method": f"Student's t over {len(cards)} training seeds",
        },
    )


def check_comparable(cards: Iterable[ScoreCard]) -> None:
    """Refuses to have scores of one metric and extractor side by side that no one may compare.

    Raises:
        UsageError: their protocols differ; the message says in what.
    """
    first: dict[tuple, ScoreCard] = {}
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


def table(cards: Sequence[ScoreCard], width: int = WIDTH) -> list[str]:
    """Returns cards as the lines of Markdown tables: a row per subject, a column per metric.

    The columns have one order, whatever that of the cards. Below runs stand the references and
    the best values that a generator can have.

    Args:
        cards: ScoreCards, one at least.
        width: Characters of a line. What does not fit goes into another table below.

    Raises:
        UsageError: as `check_comparable`.
    """
    check_comparable(cards)
    order = list(BEST)
    known = {card.metric: order.index(card.metric) for card in cards if card.metric in BEST}
    ordered = sorted(cards, key=lambda card: (known.get(card.metric, len(order)), *column(card)))
    columns = {column(card): _head(card) for card in ordered}
    rows: dict[str, dict] = {}
    for card in cards:
        rows.setdefault(card.label, {})[column(card)] = _cell(card)
    best = {column(card): _best(card) for card in ordered if _best(card) is not None}
    # References last, whatever the order they came in.
    labels = sorted(rows, key=lambda label: (TRAINING_IMAGES, NOISE).index(label) + 1
                    if label in (TRAINING_IMAGES, NOISE) else 0)  # fmt: skip
    if best:
        rows[BEST_POSSIBLE] = best
        labels.append(BEST_POSSIBLE)
    rendered = [
        _aligned([head, *(rows[label].get(key, "–") for label in labels)])
        for key, head in columns.items()
    ]
    names = _aligned(["", *labels])
    lines: list[str] = []
    for block in _blocks(rendered, width - len(names[0]) - 4):
        if lines:
            lines.append("")
        text = ["| " + " | ".join(cells) + " |" for cells in zip(names, *block, strict=True)]
        rule = "|".join("-" * (len(cells[0]) + 2) for cells in (names, *block))
        lines += [text[0], f"|{rule}|", *text[1:]]
    return lines


def notes(cards: Sequence[ScoreCard]) -> list[str]:
    """Returns what a table of these cards leaves open, as lines."""
    level = f"{cards[0].interval['level']:.0%}".replace("%", " %")
    over = next(
        (c.interval["method"] for c in cards if "training seeds" in c.interval["method"]), ""
    )
    if over:
        lines = [f"intervals: {level}, {over}: they cover training again with another seed"]
    else:
        lines = [
            f"intervals: {level}, of sampling alone: another training seed may differ by more "
            "(gan-keras-compare --over=seed)"
        ]
    untested = {card.protocol["dataset"] for card in cards if card.protocol["split"] == "train"}
    lines += [
        f"real images: {dataset} has no test split, so generated images are compared with its "
        "training images, and no row has other real ones"
        for dataset in sorted(untested)
    ]
    return lines


def _head(card):
    arrow = {"lower": "↓", "higher": "↑"}[card.better]
    return " ".join(filter(None, (*column(card), arrow)))


def _best(card):
    best = card.details.get("best", BEST.get(card.metric))
    return None if best is None else f"{best:.4g}"


def _cell(card):
    of = f" of {card.details['modes']}" if card.metric == "modes_covered" else ""
    low, high = card.interval["low"], card.interval["high"]
    return f"{card.value:.4g}{of} [{low:.4g}, {high:.4g}]"


def _aligned(cells):
    width = max(map(len, cells))
    return [cell.ljust(width) for cell in cells]


def _blocks(columns, width):
    """Columns in groups that are as wide as `width` at most, or hold one."""
    block, used = [], 0
    for cells in columns:
        if block and used + len(cells[0]) + 3 > width:
            yield block
            block, used = [], 0
        block.append(cells)
        used += len(cells[0]) + 3
    yield block


def _differences(one, other, path=""):
    """Which leaves of two nested dicts differ."""
    for key in sorted({*one, *other}):
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differences(a, b, f"{path}{key}.")
        elif a != b:
            yield f"{path}{key} {a!r} and {b!r}"
