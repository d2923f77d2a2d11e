"""`python -m benchmarks.convolutions`: the library's convolutions against the package's own.

What `gan_keras/networks/convolution.py` writes in another way, and where it does not.
"""

import sys

import numpy as np
from absl import flags as absl_flags

from benchmarks import machine, pairing, report
from benchmarks.clock import Clock
from gan_keras.cli import flags

PROGRAM = "python -m benchmarks.convolutions"
SUMMARY = (
    "Times transposed convolutions and kernels' gradients as the library has them and as this "
    "package can write them, in turn."
)
# Sides of the larger image, its channels, filters: the DCGAN on 28x28 images, then on 64x64 ones.
DOUBLING = [(28, 1, 64), (64, 3, 64), (14, 64, 128)]
KERNELS = [(14, 64, 128), (8, 256, 512), (16, 128, 256), (32, 64, 128)]


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _compare(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_integer(
        "rounds", 5, "How often everything is measured.", lower_bound=1, flag_values=values
    )
    absl_flags.DEFINE_integer("batch", 128, "Examples.", lower_bound=1, flag_values=values)
    absl_flags.DEFINE_float(
        "seconds", 0.5, "Seconds per measurement.", lower_bound=0.0, flag_values=values
    )


def _compare(values):
    machine.announce()
    flags.import_tensorflow()
    rows = []
    for dtype in ("float32", "bfloat16"):
        for name, library, own, used in cases(values.batch, dtype):
            ways = {"library": library, "own": own}

            def measure(_, way, ways=ways):
                return milliseconds(ways[way], values.seconds)

            rounds = list(pairing.play(list(ways), values.rounds, measure))
            times = [pairing.spread(each[way] for each in rounds) for way in ways]
            ratio = pairing.spread(pairing.ratios(rounds, "library", "own"))
            shown = [*(report.number(each, ".2f") for each in times), report.ratio(ratio)]
            rows.append([f"{dtype}, {name}", *shown, "yes" if used else "no"])
            print(*rows[-1], sep="  ", flush=True)
    header = [f"batch {values.batch}", "library, ms", "own, ms", "library / own", "used"]
    print(f"\n{report.table(header, rows)}\n\nMedian (least–most) of {values.rounds} rounds.")


def cases(batch, dtype):
    """Yields (name, the library's function, ours, whether the package uses ours)."""
    import tensorflow as tf

    from gan_keras.networks import convolution

    draws = np.random.default_rng(0)

    def draw(*shape):
        return tf.cast(draws.normal(0, 0.05, shape), dtype)

    for side, channels, filters in DOUBLING:
        half, kernel = draw(batch, side // 2, side // 2, filters), draw(4, 4, channels, filters)
        shape = (batch, side, side, channels)
        yield (
            f"transposed, to {side}x{side}x{channels}",
            _bind(lambda x, k, shape=shape: tf.nn.conv2d_transpose(x, k, shape, 2), half, kernel),
            _bind(convolution.double_by_shuffling, half, kernel),
            channels <= convolution.FEW_CHANNELS,
        )
    for side, channels, filters in KERNELS:
        images, half = draw(batch, side, side, channels), draw(batch, side // 2, side // 2, filters)
        shape = (4, 4, channels, filters)
        yield (
            f"kernel, {side}x{side}x{channels} to {filters}",
            _bind(
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
            _bind(convolution.kernel_gradient_by_convolution, images, half),
            convolution.is_quick_by_convolution(images, half),
        )


def _bind(function, *arguments):
    import tensorflow as tf

    graph = tf.function(function, autograph=False)
    return lambda: graph(*arguments)


def milliseconds(call, seconds):
    """Returns the time of a call; the first is not counted."""
    clock = Clock(0.0, seconds)
    while True:
        call()
        if not clock.tick():
            return 1000 * clock.elapsed / clock.steps


if __name__ == "__main__":
    sys.exit(run())
