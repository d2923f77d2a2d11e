"""The figure of `benchmarks.quality`: scores over minutes."""

import io
from itertools import cycle

from matplotlib.figure import Figure

from gan_keras.drawing import figures

# Okabe and Ito's, as those of `figures`; each with a mark, for who sees no colours.
LOOKS = ((figures.GREEN, "o"), (figures.BLUE, "s"), (figures.ORANGE, "^"), ("#cc79a7", "D"))


def draw(rounds, minutes, metrics, real):
    """Draws a panel for each metric, with a line for each contestant in each round.

    Args:
        rounds: Of the benchmark: dicts from name to a result.
        minutes: What the axis is labelled with.
        metrics: The Fréchet distance, which is drawn on a logarithmic scale, and shares.
        real: Name of the real images, whose scores are drawn as a level.

    Returns the bytes of a PNG file.
    """
    figure = Figure((10, 4), figures.DPI, facecolor="white", layout="constrained")
    panels = figure.subplots(1, len(metrics))
    names = dict.fromkeys(name for results in rounds for name in results if name != real)
    looks = dict(zip(names, cycle(LOOKS), strict=False))
    runs = [(name, each[name]["marks"]) for name in names for each in rounds if name in each]
    for axes, metric in zip(panels, metrics, strict=True):
        for name, marks in runs:
            color, marker = looks[name]
            line = [(mark["minutes"], mark[metric]["value"]) for mark in marks]
            axes.plot(*zip(*line, strict=True), color=color, marker=marker, linewidth=2, label=name)
        level = rounds[0][real]["marks"][0][metric]["value"]
        axes.axhline(level, color="black", linestyle=":", label=real)
        axes.set_title(metric.replace("_", " ").replace("frechet", "Fréchet"), size=figures.TEXT)
        axes.set_xlabel("minutes", size=figures.SMALL)
        axes.set_xscale("log")
        axes.set_xticks(minutes, [f"{each:g}" for each in minutes])
        axes.set_xticks([], minor=True)
        axes.tick_params(labelsize=figures.SMALL)
        axes.set_ylim(0, 1)
    panels[0].set_ylim(None, None, auto=True)
    panels[0].set_yscale("log")
    panels[0].yaxis.set_major_formatter("{x:g}")
    handles, labels = panels[0].get_legend_handles_labels()
    lines = dict(zip(labels, handles, strict=True))
    place = {"loc": "outside upper center", "ncols": len(lines)}
    figure.legend(lines.values(), lines, fontsize=figures.TEXT, frameon=False, **place)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
