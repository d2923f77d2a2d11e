"""Draws the pictures of `docs/theory.md` with the functions that the page is about.

Usage: python scripts/make_theory_figures.py [folder]
"""

import io
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from scipy import special

from gan_keras import theory
from gan_keras.data.densities import DENSITIES
from gan_keras.drawing import figures
from gan_keras.game import losses, penalties
from gan_keras.metrics import parzen

FOLDER = Path(__file__).parent.parent / "docs" / "images" / "theory"
COLORS = 128  # of a picture's palette: a third of the bytes, and no difference to the eye

CELL = 0.01
X = np.arange(-4, 4, CELL) + CELL / 2
P_DATA = DENSITIES["gaussians_1d"].density(X[:, None])
QUANTILES = np.linspace(0.005, 0.995, 33)


def normal(x, mean, deviation):
    return np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))


# A generator that has only learned to shift the prior, and a discriminator on its way to the best
# answer.
SHIFT = 0.4
P_G = normal(X, -SHIFT, 1)
D_STAR = theory.optimal_discriminator(P_DATA, P_G)
D = special.expit(0.4 * special.logit(D_STAR))


def players():
    z = special.ndtri(QUANTILES)
    return figures.line(X, P_DATA, P_G, D, D_STAR, z, z - SHIFT, f"G(z) = z - {SHIFT}")


def value():
    """Both expectations as areas."""
    figure, axes = plot("x", "nats per unit of x")
    for half, color, formula in (
        (P_DATA * np.log(D), "black", r"$p_{data}(x)\;\log\,D(x)$"),
        (P_G * np.log(1 - D), figures.GREEN, r"$p_g(x)\;\log(1 - D(x))$"),
    ):
        axes.fill_between(X, half, color=color, alpha=0.25, linewidth=0)
        axes.plot(X, half, color=color, label=f"{formula}, area {CELL * half.sum():.2f}")
    total = theory.value(D, P_DATA, P_G, CELL)
    axes.set(xlim=(-4, 4), ylim=(-0.4, 0.02))
    axes.set_title(f"V(D, G) is the sum of both areas: {total:.2f}")
    axes.legend(loc="lower right", frameon=False)
    return pixels(figure)


def cross_entropy():
    """Both halves of the discriminator's loss; the other half is put to zero."""
    logits = np.linspace(-5, 5, 201)
    certain = np.full_like(logits, 1e3)
    figure, axes = plot("logit;  D = sigmoid(logit)", "nats")
    real = losses.discriminator_loss(logits, -certain).numpy()
    fake = losses.discriminator_loss(certain, logits).numpy()
    axes.plot(logits, real, color="black", label="a real x:  $-\\log\\,D(x)$")
    axes.plot(logits, fake, color=figures.GREEN, label="a generated x:  $-\\log(1 - D(x))$")
    axes.plot(0, np.log(2), "o", color=figures.BLUE)
    axes.annotate("D = 1/2:  log 2 each", (0, np.log(2)), (0, 1.7), color=figures.BLUE, ha="center")
    axes.set(xlim=(-5, 5), ylim=(0, 5))
    axes.legend(loc="upper center", frameon=False)
    return pixels(figure)


def algorithm(rounds=12, discriminator_steps=3, d_rate=1.0, g_rate=0.5):
    """V through Algorithm 1: p_data = N(1, 1), G(z) = z + mu, D(x) = sigmoid(a x + b)."""
    x = np.arange(-8, 8, CELL)
    p_data = normal(x, 1, 1)
    a, b, mu = 0.0, 0.0, -1.0

    def look():
        p_g, d = normal(x, mu, 1), special.expit(a * x + b)
        return p_g, d, theory.value(d, p_data, p_g, CELL)

    values, players = [look()[2]], []
    for _ in range(rounds):
        for player in "D" * discriminator_steps + "G":
            p_g, d, _ = look()
            if player == "D":
                slopes = p_data * (1 - d) - p_g * d  # dV / dlogit
                a += d_rate * CELL * np.sum(slopes * x)
                b += d_rate * CELL * np.sum(slopes)
            else:
                mu += g_rate * CELL * np.sum(p_g * d) * a  # dV / dmu = -E[D(G(z)) a]
            values.append(look()[2])
            players.append(player)
    figure, axes = plot("updates", "V(D, G), nats")
    names = {"D": f"D's updates, k = {discriminator_steps}", "G": "G's update"}
    for i, player in enumerate(players):
        color = {"D": figures.BLUE, "G": figures.GREEN}[player]
        axes.plot([i, i + 1], values[i : i + 2], color=color, label=names.pop(player, None))
    axes.axhline(-theory.LOG_4, color="0.6", linewidth=1)
    axes.annotate("-log 4", (6, -theory.LOG_4), (0, 4), textcoords="offset points")
    axes.set(xlim=(0, len(players)))
    axes.legend(loc="upper right", frameon=False)
    return pixels(figure)


def best_discriminator():
    """a log y + b log(1 - y), and its peak."""
    y = np.linspace(0.001, 0.999, 999)
    figure, axes = plot("y = D(x)", "a log y + b log(1 - y), nats")
    for a, b, color in ((0.8, 0.2, "black"), (0.5, 0.5, figures.BLUE), (0.2, 0.8, figures.GREEN)):
        best = theory.optimal_discriminator(np.array(a), np.array(b))
        height = a * np.log(best) + b * np.log(1 - best)
        axes.plot(y, a * np.log(y) + b * np.log(1 - y), color=color, label=f"a = {a}, b = {b}")
        axes.plot([best, best], [-2, height], ":", color=color)
        axes.plot(best, height, "o", color=color)
    axes.set(xlim=(0, 1), ylim=(-2, -0.3), xticks=[0, 0.2, 0.5, 0.8, 1])
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
    return pixels(figure)


def cost():
    """C(G) over the two parameters of a generator of Gaussians."""
    x = np.arange(-12, 12, 0.05)
    data = normal(x, 0, 1)
    means, deviations = np.linspace(-3, 3, 61), np.linspace(0.2, 3, 57)
    costs = np.array(
        [[theory.generator_cost(data, normal(x, m, s), 0.05) for m in means] for s in deviations]
    )
    figure, axes = plot("mean of $p_g$", "standard deviation of $p_g$")
    levels = [-1.38, -1.3, -1.2, -1.0, -0.8, -0.6, -0.4]
    lines = axes.contour(means, deviations, costs, levels, colors=figures.GREEN, linestyles="-")
    axes.clabel(lines, fontsize=figures.SMALL)
    axes.plot(0, 1, "*", color="black", markersize=14)
    axes.set_title(f"C(G), nats; at the star, $p_g$ = $p_{{data}}$, it is {costs.min():.3f}")
    return pixels(figure)


def bound():
    """What discriminators between a coin and certainty know of the JSD."""
    logits = special.logit(D_STAR)
    sharpness = np.linspace(-0.3, 3, 100)
    values = [theory.value(special.expit(t * logits), P_DATA, P_G, CELL) for t in sharpness]
    known = (np.array(values) + theory.LOG_4) / 2
    jsd = theory.jsd(P_DATA, P_G, CELL)
    figure, axes = plot("t, where D(x) = sigmoid(t · logit of D*(x))", "nats")
    axes.axhline(jsd, color=figures.ORANGE, label=f"JSD = {jsd:.3f}")
    axes.plot(sharpness, known, color=figures.BLUE, label="(V + log 4) / 2")
    axes.plot(1, jsd, "o", color=figures.BLUE)
    axes.annotate("D = D*", (1, jsd), (0, -14), textcoords="offset points", ha="center", va="top")
    axes.plot(0, 0, "o", color=figures.BLUE)
    axes.annotate("D = 1/2", (0, 0), (8, -4), textcoords="offset points", va="top")
    axes.set(xlim=(-0.3, 3), ylim=(-0.04, 0.08))
    axes.legend(loc="lower center", frameon=False)
    return pixels(figure)


def end():
    """The quantiles of the prior go to those of the data: p_g = p_data."""
    masses = np.cumsum(P_DATA) * CELL
    g_of_z = np.interp(QUANTILES, masses, X + CELL / 2)
    half = theory.optimal_discriminator(P_DATA, P_DATA)
    reached = theory.value(half, P_DATA, P_DATA, CELL)
    z = special.ndtri(QUANTILES)
    return figures.line(X, P_DATA, P_DATA, half, half, z, g_of_z, f"V = {reached:.3f} = -log 4")


def open_question():
    """C(G) and the generator's gradients while p_g and p_data move apart."""
    x = np.arange(-3, 9, 0.01)
    distances = np.linspace(0, 5, 51)
    figure = Figure((8, 3.4), 100, facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2)
    shapes = {
        "uniform, width 1": (lambda at: np.where(abs(x - at) < 0.5, 1.0, 0.0), "black"),
        "Gaussian, σ = 0.5": (lambda at: normal(x, at, 0.5), figures.GREEN),
    }
    for name, (shape, color) in shapes.items():
        costs = [theory.generator_cost(shape(at), shape(0), 0.01) for at in distances]
        left.plot(distances, costs, color=color, label=name)
    for level, name in ((-theory.LOG_4, "-log 4"), (0, "0")):
        left.axhline(level, color="0.6", linewidth=1, zorder=0)
        left.annotate(name, (5, level), (0, 4), textcoords="offset points", ha="right")
    left.set(xlabel="distance of $p_g$ from $p_{data}$", title="C(G), nats", ylim=(-1.5, 0.16))
    left.legend(loc="center right", frameon=False)

    for name, color in (("non_saturating", figures.BLUE), ("minimax", figures.ORANGE)):
        steepness = [slope(losses.OBJECTIVES[name].generator, at, x) for at in distances[1:]]
        right.semilogy(distances[1:], steepness, color=color, label=name.replace("_", "-"))
    right.set(
        xlabel="distance, σ = 0.5", title="|gradient of G's loss in its position|", ylim=(1e-6, 100)
    )
    right.legend(loc="lower left", frameon=False)
    return pixels(figure)


def slope(loss, distance, x, deviation=0.5):
    """|d E[loss] / d position| of p_g = N(0, s^2), p_data = N(distance, s^2) and the best D."""
    places = tf.constant(x, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(places)
        logits = (distance * places - distance**2 / 2) / deviation**2  # log p_data - log p_g
        total = tf.reduce_sum(loss(logits))
    gradient = tape.gradient(total, places).numpy()
    return abs(0.01 * np.sum(normal(x, 0, deviation) * gradient))


def windows():
    """Parzen windows of three widths on the same samples, and how one is chosen."""
    draw = np.random.default_rng(0).normal
    samples, validation = draw(size=(40, 1)), draw(size=(400, 1))
    x = np.linspace(-4, 4, 401)
    sigmas = np.logspace(-1.5, 0.5, 41)
    figure = Figure((8, 3.4), 100, facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2)
    scores = [parzen.log_likelihood(samples, validation, s).mean() for s in sigmas]
    best = parzen.choose_sigma(samples, validation, sigmas).sigma
    left.plot(x, normal(x, 0, 1), ":", color="black", linewidth=2.5, label="$p_{data}$")
    right.semilogx(sigmas, scores, color="0.6")
    for sigma, color in ((0.06, figures.ORANGE), (best, figures.GREEN), (1.5, figures.BLUE)):
        density = np.exp(parzen.log_likelihood(samples, x[:, None], sigma))
        left.plot(x, density, color=color, label=f"σ = {sigma:.2f}")
        score = parzen.log_likelihood(samples, validation, sigma).mean()
        right.plot(sigma, score, "o", color=color)
    left.plot(samples[:, 0], np.full(40, -0.02), "|", color=figures.GREEN)
    left.set(xlabel="x", title="windows on 40 samples", xlim=(-4, 4), ylim=(-0.05, 0.75))
    left.legend(loc="upper left", frameon=False, fontsize=figures.SMALL)
    right.set(xlabel="σ", title="mean log-likelihood of 400 others, nats", ylim=(-8, -1))
    return pixels(figure)


def pairs():
    """What D is asked about pairs, and how far apart the densities then are."""
    figure = Figure((8, 3.4), 100, facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2)
    x = np.linspace(-3, 3, 121)
    logits = special.logit(theory.optimal_discriminator(normal(x, 1, 0.7), normal(x, -1, 0.7)))
    preferred = special.expit(np.subtract.outer(logits, logits)).T
    shown = left.pcolormesh(x, x, preferred, vmin=0, vmax=1, cmap="coolwarm_r", rasterized=True)
    drawn = np.multiply.outer(normal(x, -1, 0.7), normal(x, 1, 0.7))
    left.contour(x, x, drawn, 4, colors="black", linewidths=0.7)
    left.plot(x, x, color="0.5", linewidth=0.7)
    left.set(xlabel="x, real", ylabel="y, generated", title="σ(l*(x) - l*(y)), and where pairs are")
    figure.colorbar(shown, ax=left)

    places, distances = np.arange(-3, 8, 0.04), np.linspace(0, 5, 26)
    data = normal(places, 0, 0.7)
    one, both = [], []
    for at in distances:
        other = normal(places, at, 0.7)
        best = at * (at / 2 - places) / 0.7**2  # log p_data - log p_g
        one.append(theory.jsd(data, other, 0.04))
        both.append(theory.pair_value(best, data, other, 0.04) + theory.LOG_4 / 2)
    right.plot(distances, one, color=figures.BLUE, label="x alone")
    right.plot(distances, both, color=figures.ORANGE, label="pairs")
    right.axhline(theory.LOG_4 / 2, color="0.6", linewidth=1, zorder=0)
    right.annotate("log 2", (5, theory.LOG_4 / 2), (0, 3), textcoords="offset points", ha="right")
    right.set(xlabel="distance of $p_g$ from $p_{data}$", title="JSD, nats", ylim=(-0.03, 0.78))
    right.legend(loc="lower right", frameon=False)
    return pixels(figure)


def penalised():
    """The Dirac example: one generated point θ, D's logit ψx, and the data at 0."""
    figure = Figure((8, 3.4), 100, facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, weight, color, style in (
        ("minimax", 0.0, figures.BLUE, "-"),
        ("relativistic", 0.0, figures.ORANGE, "-"),
        ("relativistic", 0.3, figures.GREEN, "-"),
        ("relativistic", 1.0, "black", "-"),
    ):
        path = dirac(name, weight, 300)
        label = f"{name.replace('_', '-')}, γ = {weight:g}"
        left.plot(*path.T, style, color=color, linewidth=1)
        right.plot(np.hypot(*path.T), style, color=color, label=label)
    left.plot(0, 0, "o", color="0.3")
    left.set(xlabel="θ, the generated point", ylabel="ψ, the slope of D", aspect="equal")
    right.set(xlabel="step", title="distance from the equilibrium", ylim=(-0.03, 2.4))
    right.legend(loc="upper right", frameon=False, fontsize=figures.SMALL)
    return pixels(figure)


def dirac(name, weight, steps, rate=0.1):
    """Algorithm 1 with R1 and R2, half the weight each, from (θ, ψ) = (1, 0): (steps + 1, 2)."""
    objective = losses.OBJECTIVES[name]
    x, point, slope_of_d = tf.zeros((1, 1)), tf.Variable([[1.0]]), tf.Variable([[0.0]])

    def judge(examples):
        return slope_of_d * examples

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(objective.discriminator(judge(x), judge(point)))
            for examples in (x, tf.stop_gradient(tf.identity(point))):
                loss += weight / 2 * tf.reduce_sum(penalties.zero_centred(judge, examples))
        slope_of_d.assign_sub(rate * tape.gradient(loss, slope_of_d))
        with tf.GradientTape() as tape:
            logits = [judge(x), judge(point)][not objective.in_pairs :]
            loss = tf.reduce_sum(objective.generator(*logits))
        point.assign_sub(rate * tape.gradient(loss, point))
        return tf.concat([point, slope_of_d], axis=1)[0]

    return np.array([(1.0, 0.0), *(step().numpy() for _ in range(steps))])


def plot(across, up):
    figure = Figure((6.4, 3.4), 100, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=across, ylabel=up)
    return figure, axes


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[:, :, :3]


# Of the page's steps, in their order.
PICTURES = [players, value, cross_entropy, algorithm, best_discriminator, cost, bound, end]
PICTURES += [open_question, windows, pairs, penalised]


def main(folder=FOLDER):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for step, draw in enumerate(PICTURES, start=1):
        buffer = io.BytesIO()
        Image.fromarray(draw()).quantize(COLORS).save(buffer, "PNG", optimize=True)
        path = folder / f"{step:02}-{draw.__name__.replace('_', '-')}.png"
        path.write_bytes(buffer.getvalue())
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
