"""The figure of `benchmarks.quality`: scores over minutes."""

import io
from itertools import cycle

from matplotlib.figure import Figure

from gan_keras.drawing import figures

WIDTH, HEIGHT = 8, 4  # inches: 800 pixels, at which a page shows it
# Okabe and Ito's, as those of `figures`; each with a mark, for who sees no colours.
LOOKS = ((figures.GREEN, "o"), (figures.BLUE, "s"), (figures.ORANGE, "^"), ("#cc79a7", "D"))


def draw(rounds, minutes, titles, labels, real):
    """Draws a panel for each metric, with a line for each contestant in each round.

    Args:
        rounds: Of the benchmark: dicts from name to a result.
        minutes: What the axes are labelled with.
        titles: Of the panels, by metric: the Fréchet distance, on a logarithmic scale, and shares.
        labels: What a contestant is called, by name; others by their names.
        real: Name of the real images, whose scores are drawn as a level.

    Returns the bytes of a PNG file.
    """
    figure = Figure((WIDTH, HEIGHT), figures.DPI, facecolor="white", layout="constrained")
    names = dict.fromkeys(name for results in rounds for name in results if name != real)
    runs = [(name, each.get(name, {}).get("marks")) for name in names for each in rounds]
    looks = dict(zip(names, cycle(LOOKS), strict=False))
    panels = dict(zip(titles, figure.subplots(1, len(titles)), strict=True))
    drawn = {}  # Of several rounds, one for the legend.
    for metric, axes in panels.items():
        for name, marks in runs:
            if not marks:  # no pictures by then
                continue
            color, marker = looks[name]
            line = [(mark["minutes"], mark[metric]["value"]) for mark in marks]
            (drawn[labels.get(name, name)],) = axes.plot(
                *zip(*line, strict=True), color=color, marker=marker, linewidth=2
            )
        level = rounds[0][real]["marks"][0][metric]["value"]
        drawn[real] = axes.axhline(level, color="black", linestyle=":", linewidth=2)
        axes.set_title(titles[metric], size=figures.TEXT)
        axes.set_xlabel("minutes of training", size=figures.SMALL)
        axes.set_xscale("log")
        axes.set_xticks(minutes, [f"{each:g}" for each in minutes])
        axes.set_xticks([], minor=True)
        axes.tick_params(labelsize=figures.SMALL)
        axes.set_ylim(0, 1.02)
    distance = panels["frechet_distance"]
    distance.set_ylim(None, None, auto=True)
    distance.set_yscale("log")
    distance.yaxis.set_major_formatter("{x:g}")
    place = {"loc": "outside upper center", "ncols": 3, "frameon": False}
    figure.legend(drawn.values(), drawn, fontsize=figures.SMALL, columnspacing=1.5, **place)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
