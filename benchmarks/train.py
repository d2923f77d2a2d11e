"""`python -m benchmarks.train`: training steps of this package and of its peers, in turn."""

import math
import sys
from typing import ClassVar

import numpy as np

from benchmarks import contestants, processes, report, runner, workload
from benchmarks import rounds as played
from benchmarks.bound import FLOPS, SIDE
from benchmarks.clock import Clock
from gan_keras.cli import flags
from gan_keras.errors import UserError

SPEED = "images_per_second"


class Train:
    """Images per second of training steps, and their share of the bound."""

    name = "train"
    summary = (
        "Measures training steps of this package and of its peers, in turn and each time in a "
        "fresh process, and prints medians of the ratios within a round."
    )
    flags: ClassVar = {
        "seconds": (10.0, "Per measurement; the command has its own, see benchmarks/README.md."),
        "warm_up": (3.0, "Seconds before each measurement, after the first step."),
        "network": ("dcgan", "What is trained.", workload.NETWORKS),
        "contestants": (
            [],
            f"Who takes part, by default all: {', '.join(contestants.CONTESTANTS)}.",
        ),
    }

    def __init__(self, values, folder):
        self.chosen, left_out = contestants.choose(values.network, values.contestants)
        if left_out:
            print(f"left out {', '.join(left_out)}: {contestants.INSTALL}")
        flags.import_tensorflow()
        images = folder / "images.npy"
        np.save(images, workload.images())
        self.network = values.network
        self.arguments = {
            "network": values.network,
            "images": str(images),
            "warm_up": values.warm_up,
            "seconds": values.seconds,
        }
        self.names = list(self.chosen)
        self.facts = {
            "contestants": {name: each.about for name, each in self.chosen.items()},
            "left_out": left_out,
            "flops_per_image": workload.flops_per_image(values.network),
        }
        self.first = None  # Name and numbers of weights of who was measured first.

    def measure(self, name):
        """Measures one contestant.

        Raises:
            UserError: it has another network than the first: their speeds do not compare.
        """
        result = processes.measure("benchmarks.train.measure", name=name, **self.arguments)
        counts = result["parameters"]
        self.first = self.first or (name, counts)
        if counts and counts != self.first[1]:
            raise UserError(
                f"{name} trains {counts} weights, {self.first[0]} {self.first[1]}: not the same "
                "networks"
            )
        return result

    def line(self, result):
        return f"{result[SPEED]:,.0f} images/s"

    def table(self, rounds):
        names = [name for name in self.names if name not in contestants.BOUNDS]
        yardsticks = [name for name, each in self.chosen.items() if each.yardstick]
        rows = [
            [
                name,
                report.value(rounds, name, SPEED),
                *(report.ratio(rounds, name, other, SPEED) for other in yardsticks),
                report.ratio(rounds, name, f"bound-{self.chosen[name].dtype}", SPEED),
            ]
            for name in names
        ]
        header = [self.network, "images/s", *(f"/ {other}" for other in yardsticks), "/ bound"]
        bounds = [self._bound(rounds, name) for name in self.names if name in contestants.BOUNDS]
        about = [f"- `{name}`: {each.about}" for name, each in self.chosen.items()]
        table = report.table(header, rows)
        return "\n\n".join([table, report.caption(rounds), *bounds, "\n".join(about)])

    def _bound(self, rounds, name):
        flops = workload.flops_per_image(self.network)
        speed = played.values(rounds, name, SPEED)
        gflops = played.Spread(*(each * flops / 1e9 for each in speed))
        return (
            f"Bound {self.chosen[name].dtype}: a product of two {SIDE}x{SIDE} matrices "
            f"({FLOPS / 1e9:.1f} GFLOP) at {report.number(gflops)} GFLOP/s; at {flops / 1e6:.1f} "
            f"MFLOP per image {report.number(speed)} images/s."
        )


def measure(name, network="dcgan", images=None, warm_up=3.0, seconds=10.0):
    """Builds a contestant, or a bound, in this process and lets it train.

    Args:
        name, network: As of `contestants.build`.
        images: File of (n, 28, 28, 1) float32 in [-1, 1], .npy; the digits by default.
        warm_up, seconds: As of `Clock`.

    Returns:
        A dict: images_per_second, steps, seconds, and parameters, a dict from player to the
        number of its trainable weights.
    """
    # From a file, so that no process of PyTorch has to import TensorFlow to read the digits.
    images = np.load(images) if images else workload.images()
    built = contestants.build(name, network, images)
    clock = Clock(warm_up, seconds, built.wait)
    built.run(clock)
    return {
        SPEED: clock.steps * built.images_per_step / clock.elapsed,
        "steps": clock.steps,
        "seconds": clock.elapsed,
        "parameters": {
            player: sum(math.prod(array.shape) for array in arrays)
            for player, arrays in built.weights().items()
        },
    }


if __name__ == "__main__":
    sys.exit(runner.run(Train))
