"""`python -m benchmarks.convolutions`: the library's convolutions compared with the package's own.

What `gan_keras/networks/convolution.py` writes in another way, and where it does not.
"""

import sys
from typing import ClassVar

import numpy as np

from benchmarks import report, runner
from benchmarks.clock import Clock
from gan_keras.cli import flags

# Sides of the larger image, its channels, filters: the DCGAN on 28x28 images, then on 64x64 ones.
DOUBLING = [(28, 1, 64), (64, 3, 64), (14, 64, 128)]
KERNELS = [(14, 64, 128), (8, 256, 512), (16, 128, 256), (32, 64, 128)]


class Convolutions:
    """Milliseconds of transposed convolutions and of kernels' gradients, written in two ways."""

    name = "convolutions"
    summary = (
        "Times transposed convolutions and kernels' gradients as the library has them and as "
        "this package can write them, in turn."
    )
    flags: ClassVar = {
        "batch": (128, "Examples."),
        "seconds": (0.5, "Seconds per measurement."),
    }

    def __init__(self, values, folder):
        flags.import_tensorflow()
        self.batch, self.seconds = values.batch, values.seconds
        self.cases = {
            f"{dtype}, {name}": calls
            for dtype in ("float32", "bfloat16")
            for name, *calls in cases(values.batch, dtype)
        }
        self.names = [f"{case}, {who}" for case in self.cases for who in ("library", "own")]
        self.facts = {}

    def measure(self, name):
        case, who = name.rsplit(", ", 1)
        return {"ms": milliseconds(self.cases[case][who == "own"], self.seconds)}

    def line(self, result):
        return f"{result['ms']:.2f} ms"

    def table(self, rounds):
        rows = []
        for case, (_, _, used) in self.cases.items():
            library, own = f"{case}, library", f"{case}, own"
            times = [report.value(rounds, name, "ms", ".2f") for name in (library, own)]
            ratio = report.ratio(rounds, library, own, "ms")
            rows.append([case, *times, ratio, "yes" if used else "no"])
        header = [f"batch {self.batch}", "library, ms", "own, ms", "library / own", "used"]
        return f"{report.table(header, rows)}\n\n{report.caption(rounds)}"


def cases(batch, dtype):
    """Yields (name, the library's function, ours, whether the package uses ours)."""
    import tensorflow as tf

    from gan_keras.networks import convolution

    draws = np.random.default_rng(0)

    def draw(*shape):
        return tf.cast(draws.normal(0, 0.05, shape), dtype)

    def bind(function, *arguments):
        graph = tf.function(function, autograph=False)
        return lambda: graph(*arguments)

    for side, channels, filters in DOUBLING:
        half, kernel = draw(batch, side // 2, side // 2, filters), draw(4, 4, channels, filters)
        shape = (batch, side, side, channels)
        yield (
            f"transposed, to {side}x{side}x{channels}",
            bind(lambda x, k, shape=shape: tf.nn.conv2d_transpose(x, k, shape, 2), half, kernel),
            bind(convolution.double_by_shuffling, half, kernel),
            channels <= convolution.FEW_CHANNELS,
        )
    for side, channels, filters in KERNELS:
        images, half = draw(batch, side, side, channels), draw(batch, side // 2, side // 2, filters)
        shape = (4, 4, channels, filters)
        yield (
            f"kernel, {side}x{side}x{channels} to {filters}",
            bind(
                lambda x, y, shape=shape: tf.raw_ops.Conv2DBackpropFilter(
                    input=x,
                    filter_sizes=shape,
                    out_backprop=y,
                    strides=[1, 2, 2, 1],
                    padding="SAME",
                ),
                images,
                half,
            ),
            bind(convolution.kernel_gradient_by_convolution, images, half),
            convolution.is_quick_by_convolution(images, half),
        )


def milliseconds(call, seconds):
    """Returns the time of a call; the first is not counted."""
    clock = Clock(0.0, seconds)
    clock.time(call)
    return 1000 * clock.elapsed / clock.steps


if __name__ == "__main__":
    sys.exit(runner.run(Convolutions))
