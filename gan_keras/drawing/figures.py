"""The game drawn: a line and a plane whose densities are known, and animations of any pictures.

Each drawing is a function of its arguments alone, and its axes do not move while a run goes on.
NaN and what lies outside the axes is left out or put on the border, so that a run that diverged
can still be looked at. Throughout: the data are black, the generator green, D blue.

Reference: Goodfellow et al. 2014, figure 1, https://arxiv.org/abs/1406.2661
"""

import io

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from PIL import Image

from gan_keras import files

WIDTH, HEIGHT, DPI = 640, 480, 100  # pixels; TensorBoard shows them at half the size and less
TEXT, SMALL = 12, 10.5  # points: 17 and 15 pixels, which half the size leaves readable

# Okabe and Ito 2008, colours that the colour-blind tell apart, https://jfly.uni-koeln.de/color/
BLUE, GREEN, ORANGE = "#0072b2", "#009e73", "#e69f00"
PALE_GREEN = "#b8e3d5"

# D from 0 (orange) over 1/2 (almost white) to 1 (purple): ColorBrewer's PuOr, whose arms darken
# steadily, without its ends, on which no point could be seen, https://colorbrewer2.org
HEAT = ListedColormap(matplotlib.colormaps["PuOr"](range(69, 187))).with_extremes(bad="#808080")

# Left, bottom, width and height of the axes, as shares of the picture.
CURVES = (0.09, 0.40, 0.82, 0.45)
MAPPING = (0.09, 0.07, 0.82, 0.235)
CURVES_ALONE = (0.09, 0.07, 0.82, 0.78)
PLANE = (0.085, 0.075, 0.615, 0.82)
HEAT_BAR = (0.755, 0.075, 0.04, 0.50)

PEAK = 0.8  # p_data's largest value, on the axis that D goes from 0 to 1
PROBABILITIES = (-0.02, 1.06)  # limits of that axis: a line at 0 or 1 is seen whole

LONGEST = 120  # frames: some seconds to watch, some MiB to load
COLORS = 255  # of a GIF's 256; Pillow takes the last for "as in the frame before"


def line(x, p_data, p_g, d, d_star, z, g_of_z, title="", peak=None):
    """The paper's figure 1 for data on a line.

    Above, the densities (scale on the right, set by `peak`) and both discriminators (scale on
    the left); below, the generator as arrows from z to x = G(z). Arrows to beyond the grid end
    at its border.

    Args:
        x: Grid, float (n,).
        p_data: Density of the data on the grid, (n,).
        p_g: Density of the generator on the grid, (n,), such as a histogram of samples.
        d: D(x) on the grid, (n,), in [0, 1]; NaN where there is nothing to show.
        d_star: D*(x) = p_data / (p_data + p_g) on the grid, (n,), as `d`.
        z: Latents, float (m,), such as evenly spaced quantiles of the prior; where there are
            none, m = 0, the upper part takes all the place.
        g_of_z: G(z), (m,).
        title: One line of text.
        peak: Density at 0.8 of the scale of D, by default p_data's largest value. It is raised
            where a density would otherwise not fit.

    Returns:
        uint8 (480, 640, 3).
    """
    x, p_data, p_g, d, d_star, z, g_of_z = map(_finite, (x, p_data, p_g, d, d_star, z, g_of_z))
    low, high = _limits(x)
    if peak is None:
        peak = _limits(p_data)[1] if np.any(p_data > 0) else 1.0
    peak = max(peak, PEAK * _limits(np.concatenate([p_data, p_g]))[1])
    figure = _figure(title)

    box = CURVES if z.size else CURVES_ALONE
    axes = figure.add_axes(box, xlim=(low, high), ylim=PROBABILITIES)
    axes.axhline(0.5, color="0.6", linewidth=0.8)
    heights = p_g / peak * PEAK
    axes.fill_between(x, heights, step="mid", color=PALE_GREEN, linewidth=0)
    # In the order of the legend; p_data, which does not change, lies over p_g.
    scaled = p_data / peak * PEAK
    axes.plot(x, scaled, ":", color="black", linewidth=2.5, zorder=2.1, label="$p_{data}$")
    axes.step(x, heights, where="mid", color=GREEN, linewidth=1.5, label="$p_g$")
    axes.plot(x, d, "--", color=BLUE, linewidth=2.5, zorder=2.2, label="$D(x)$")
    axes.plot(x, d_star, color=ORANGE, linewidth=1.5, label="$D^*(x)$")
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.tick_params(labelsize=SMALL)
    _note(axes, -0.055, 0.25, "D", BLUE)
    for text, height in (("0", 0), ("density", PEAK / 2), (f"{peak:.2g}", PEAK)):
        _note(axes, 1.05, height, text)
    _legend(figure, axes, loc="upper center", bbox_to_anchor=(0.5, 0.945), ncols=4)

    if z.size:
        axes = figure.add_axes(MAPPING, xlim=(low, high), ylim=(0, 1), xticks=[])
        axes.set_yticks([0, 1], ["z", "x"], fontsize=TEXT)
        axes.tick_params(length=0)
        axes.spines[["left", "right"]].set_visible(False)
        _arrows(axes, z, g_of_z)
    return _pixels(figure)


def plane(real, generated, extent, d, title=""):
    """Samples in the plane over the discriminator's opinion of every place.

    Points outside the extent are drawn on its border.

    Args:
        real: Real points, float (n, 2), n >= 0.
        generated: Generated points, float (m, 2), m >= 0.
        extent: (xmin, xmax, ymin, ymax) of the picture, finite.
        d: D on a grid of cells that fills the extent, (h, w), in [0, 1]; the first row is the
            one at ymin.
        title: One line of text.

    Returns:
        uint8 (480, 640, 3).
    """
    figure = _figure(title)
    axes = figure.add_axes(PLANE)
    heat = axes.imshow(
        np.ma.masked_invalid(d), HEAT, vmin=0, vmax=1, extent=extent, origin="lower",
        interpolation="nearest",
    )  # fmt: skip
    axes.tick_params(labelsize=SMALL)
    # The real ones are larger, so that they show around generated ones that cover them.
    for points, color, size, name in (
        (real, "black", 4, "real"),
        (generated, GREEN, 3, "generated"),
    ):
        points = _finite(points).reshape(-1, 2)
        axes.plot(
            np.clip(points[:, 0], *extent[:2]),
            np.clip(points[:, 1], *extent[2:]),
            "o",
            color=color,
            markersize=size,
            markeredgewidth=0,
            label=name,
            clip_on=False,
        )
    axes.set(xlim=extent[:2], ylim=extent[2:])
    bar = figure.colorbar(heat, figure.add_axes(HEAT_BAR))
    bar.set_ticks([0, 0.5, 1], labels=["0: generated", "½", "1: real"], fontsize=SMALL)
    bar.ax.set_title("$D(x)$", fontsize=TEXT)
    _legend(figure, axes, loc="upper left", bbox_to_anchor=(0.725, 0.91), markerscale=2)
    return _pixels(figure)


def save_gif(path, frames, seconds_per_frame=0.1, last_seconds=2.0, limit=LONGEST):
    """Writes an animation that loops, whole or not at all; the last frame stays longer.

    All frames share 255 colours. Frames like the one before them are joined with it.

    Args:
        path: The file; its folder must exist.
        frames: uint8 (height, width, 3) arrays or paths of PNG files, all of one size, at least
            one. A file is read when its turn comes, so that paths cost no memory.
        seconds_per_frame: Seconds, in hundredths, at least 0.02: browsers slow down what is
            faster.
        last_seconds: Seconds that the last frame stays, in hundredths.
        limit: More frames than this are thinned evenly; the first and the last remain.

    Raises:
        ValueError: no frames, or frames of different sizes.
        OSError: a frame cannot be read, or the file cannot be written.
    """
    frames = list(frames)
    if not frames:
        raise ValueError(f"no frames to make {path} of")
    chosen = [frames[i] for i in _spread(len(frames), limit)]
    palette = _palette([_picture(chosen[i]) for i in _spread(len(chosen), 5)])

    def reduced():
        for frame in chosen:
            picture = _picture(frame)
            if picture.size != first.size:
                raise ValueError(f"frames of {first.size} and {picture.size} pixels in {path}")
            yield picture.quantize(palette=palette, dither=Image.Dither.NONE)

    first = _picture(chosen[0])
    pictures = reduced()
    durations = [round(1000 * seconds_per_frame)] * (len(chosen) - 1) + [round(1000 * last_seconds)]
    buffer = io.BytesIO()
    next(pictures).save(
        buffer, "GIF", save_all=True, append_images=pictures, duration=durations, loop=0
    )
    files.write(path, buffer.getvalue())


def _figure(title):
    figure = Figure((WIDTH / DPI, HEIGHT / DPI), DPI, facecolor="white")
    # A title is words: a dollar sign in it is one.
    figure.text(0.5, 0.985, title, ha="center", va="top", fontsize=TEXT, parse_math=False)
    return figure


def _pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[:, :, :3]


def _note(axes, place, height, text, color="black"):
    """A word beside the axes, upright if it is long."""
    rotation = 90 if len(text) > 5 else 0
    axes.text(
        place, height, text, color=color, rotation=rotation, fontsize=SMALL, ha="center",
        va="center", transform=axes.get_yaxis_transform(),
    )  # fmt: skip


def _legend(figure, axes, **place):
    figure.legend(
        *axes.get_legend_handles_labels(),
        fontsize=TEXT,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.8,
        columnspacing=1.4,
        **place,
    )


def _arrows(axes, z, g_of_z):
    """Arrows from z on the lower border, whatever z's range, to G(z) on the upper one."""
    low, high = axes.get_xlim()
    first, last = _limits(z)
    start = low + (high - low) * (0.05 + 0.9 * (z - first) / (last - first))
    end = np.clip(g_of_z, low, high)
    known = np.isfinite(start + end)
    start, end = start[known], end[known]
    axes.quiver(
        start, np.zeros_like(start), end - start, np.ones_like(start), color=GREEN,
        angles="xy", scale_units="xy", scale=1, width=0.003, headwidth=5, headlength=7,
    )  # fmt: skip
    for place, number in ((0.05, first), (0.95, last)):
        axes.text(
            place, -0.06, f"{number:.2g}", transform=axes.transAxes, fontsize=SMALL, ha="center",
            va="top",
        )  # fmt: skip


def _finite(values):
    """A copy as float64, NaN where not finite."""
    values = np.array(values, np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _limits(values):
    """The least and the largest of what is finite, never the same."""
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _spread(count, limit):
    """At most `limit` of the indices below `count`, evenly, with both ends."""
    return np.unique(np.linspace(0, count - 1, min(count, limit)).round().astype(int))


def _picture(frame):
    if isinstance(frame, np.ndarray):
        return Image.fromarray(np.ascontiguousarray(frame))
    try:
        with Image.open(frame, formats=["PNG"]) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError) as error:  # Pillow says SyntaxError of a broken chunk
        raise OSError(f"{frame} is no PNG file that can be read: {error}") from error


def _palette(pictures):
    """A picture whose palette serves all of them."""
    sheet = Image.new("RGB", (pictures[0].width, sum(picture.height for picture in pictures)))
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height
    colors = np.reshape(sheet.quantize(COLORS, Image.Quantize.MEDIANCUT).getpalette(), (-1, 3))
    # Pillow looks colours up with an error of 3, which would show on paper and on ink.
    colors[(colors >= 245).all(axis=1)] = 255
    colors[(colors <= 10).all(axis=1)] = 0
    palette = Image.new("P", (1, 1))
    palette.putpalette(colors.ravel().tolist())
    return palette
