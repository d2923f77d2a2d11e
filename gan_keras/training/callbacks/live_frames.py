"""What a frame of the live view shows: points, D, and V over the steps."""

import base64

import numpy as np

from gan_keras.config import random_streams
from gan_keras.game import PRIORS
from gan_keras.training.callbacks.density import ARROWS, Density
from gan_keras.training.callbacks.scalars import meaning

SHOWN = 500  # points of each kind in the plane
SAMPLES = 2000  # that p_g on a line is estimated from, ten times a second
CELLS = 48  # of D along each side of the window
PLACES = 161  # of the curves on a line
MOST_VALUES = 300  # of V, an even number; about as many as a chart has room for


class ValueHistory:
    """V over all steps, in a bounded number of means over neighbouring steps.

    When there are too many of them, every two are joined.
    """

    def __init__(self):
        self.ends = []  # The last step of each,
        self.sums = []  # the sum of its values,
        self.counts = []  # and of how many steps.
        self.width = 1  # steps that each has at least, but for the last

    def add(self, step, mean, count):
        """Adds the mean of the last `count` steps up to `step`."""
        if self.ends and self.counts[-1] < self.width:
            self.ends[-1] = step
            self.sums[-1] += count * mean
            self.counts[-1] += count
            return
        if len(self.ends) >= MOST_VALUES:
            self.width = 2 * max(self.counts)
            self.ends = self.ends[1::2]
            self.sums, self.counts = (
                [first + second for first, second in zip(each[::2], each[1::2], strict=True)]
                for each in (self.sums, self.counts)
            )
        self.ends.append(step)
        self.sums.append(count * mean)
        self.counts.append(count)

    def curve(self):
        """Returns the last steps and the means, two lists of at most `MOST_VALUES`."""
        means = [total / count for total, count in zip(self.sums, self.counts, strict=True)]
        return list(self.ends), means


class LiveFrames:
    """Makes the frames of one game on points.

    Args:
        points: The data, as `data.Points`.
        gan: The GAN that is trained on them.
        every: Steps after which the means of the metrics start anew.
    """

    def __init__(self, points, gan, every):
        self.look = Density(points, SAMPLES)
        self.gan = gan
        self.every = every
        self.on_a_line = points.density.length == 1
        count = SAMPLES if self.on_a_line else SHOWN
        seed = [gan.seed, random_streams.GRID]
        self.latents = PRIORS[gan.prior]((count, gan.latent_dim), seed=seed)
        self.start_again()

    def start_again(self, recorded=None):
        """Forgets the values of the steps so far.

        Args:
            recorded: The step up to which the game that follows is one that was played before.
        """
        self.recorded = recorded
        self.history = ValueHistory()
        self.latest = {"value": None, "d_real": None, "d_fake": None}
        self.begin()

    def begin(self):
        """Takes note that `fit` begins, and with it the means."""
        self.sums, self.steps, self.first = {}, 0, self.gan.step

    def note(self, logs):
        """Takes note of the metrics after a call: means over the steps since they started anew."""
        step = self.gan.step
        steps = step - self.first
        sums = {name: steps * float(logs[name]) for name in self.latest}
        count = steps - self.steps
        self.latest = {name: (sums[name] - self.sums.get(name, 0.0)) / count for name in sums}
        self.history.add(step, self.latest["value"], count)
        self.sums, self.steps = sums, steps
        if step % self.every == 0:
            self.sums, self.steps, self.first = {}, 0, step

    def game(self, about):
        """What does not change from frame to frame.

        Args:
            about: Dict to add to.

        Returns:
            A dict for JSON: the window, real points (in the plane) or places (on a line), and what
            the theory says of V.
        """
        said = meaning(self.gan.objective)
        facts = {
            **about,
            "window": list(self.look.points.density.window),
            "in_pairs": self.gan.objective.in_pairs,
            "value": said.captions["value"],
            "equilibrium": said.constants["equilibrium"]["value"],
        }
        if self.on_a_line:
            return {**facts, "x": _rounded(self._places())}
        return {**facts, "real": _rounded(self.look.real[:SHOWN]), "cells": CELLS}

    def frame(self):
        """What the game looks like now, a dict for JSON.

        `fake` and `d` in the plane: points, and D on a grid from 0 to 255, a byte a cell in base64,
        the lowest row first. On a line `p_data`, `p_g`, `d`, `d_star` at the places, and arrows
        from `z` to `g` where the latents are numbers. What is not finite is null or left out.
        """
        gan, look = self.gan, self.look
        steps, values = self.history.curve()
        frame = {
            "step": gan.step,
            "recorded": self.recorded,
            "blur": round(look.blur(gan), 4),
            **{name: _rounded(value) for name, value in self.latest.items()},
            "steps": steps,
            "values": _rounded(values),
        }
        # A graph would be faster; a dozen small operations, ten times a second, are fast enough.
        generated = look.generate(gan, self.latents)
        if not self.on_a_line:
            generated = generated[np.isfinite(generated).all(axis=1)]
            d = np.nan_to_num(look.field(gan, generated, CELLS), nan=0.5)
            field = base64.b64encode(np.round(255 * d).astype(np.uint8).tobytes()).decode()
            return {**frame, "fake": _rounded(generated), "d": field}
        curves = look.curves(gan, generated, self._places())
        names = ("p_data", "p_g", "d", "d_star")
        frame.update({name: _rounded(c) for name, c in zip(names, curves, strict=True)})
        if gan.latent_dim == 1:
            z = look.quantiles(gan, ARROWS)
            frame.update(z=_rounded(z[:, 0]), g=_rounded(look.generate(gan, z)[:, 0]))
        return frame

    def _places(self):
        return np.linspace(*self.look.points.density.window, PLACES)


def _rounded(values):
    """Numbers for JSON with few digits, None where not finite."""
    if values is None:
        return None
    array = np.round(np.asarray(values, np.float64), 4)
    if np.isfinite(array).all():
        return array.tolist()
    return np.where(np.isfinite(array), array.astype(object), None).tolist()
