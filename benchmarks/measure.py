"""One measurement of one contestant in this process, as one line of JSON.

`benchmarks.train` starts it; run alone, it is how to try a contestant or to profile it:
`python -m benchmarks.measure --contestant=keras-guide`.
"""

import importlib
import json
import math
import sys

import numpy as np
from absl import flags as absl_flags

from benchmarks import work
from benchmarks.clock import Clock
from benchmarks.contestants import BOUNDS, CONTESTANTS
from gan_keras.cli import flags

PROGRAM = "python -m benchmarks.measure"
SUMMARY = "Measures one contestant of benchmarks.train in this process and prints a line of JSON."


def measure(contestant, network, images, warm_up, seconds):
    """Builds a contestant and lets it train.

    Args:
        contestant: A `contestants.Contestant`.
        network: `dcgan` or `mlp`.
        images: (n, 28, 28, 1) float32 in [-1, 1].
        warm_up: Seconds that are not counted, after the first call.
        seconds: Seconds to measure for.

    Returns:
        A dict: images_per_second, steps, seconds, and parameters, a dict from player to the
        number of its trainable weights.
    """
    module = importlib.import_module(contestant.module)
    built = module.build(network, images, **contestant.options)
    clock = Clock(warm_up, seconds, built.wait)
    built.run(clock)
    return {
        "images_per_second": clock.steps * built.images_per_step / clock.elapsed,
        "steps": clock.steps,
        "seconds": clock.elapsed,
        "parameters": {
            player: sum(math.prod(array.shape) for array in arrays)
            for player, arrays in built.weights().items()
        },
    }


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _measure(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_enum(
        "contestant",
        next(iter(CONTESTANTS)),
        [*CONTESTANTS, *BOUNDS],
        "Who is measured.",
        flag_values=values,
    )
    absl_flags.DEFINE_enum(
        "network", "dcgan", list(work.NETWORKS), "What is trained.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "images", "", "File of the images, .npy (default: the digits).", flag_values=values
    )
    absl_flags.DEFINE_float(
        "warm_up", 3.0, "Seconds, after the first call, that are not counted.", flag_values=values
    )
    absl_flags.DEFINE_float("seconds", 10.0, "Seconds to measure for.", flag_values=values)


def _measure(values):
    contestant = {**CONTESTANTS, **BOUNDS}[values.contestant]
    if contestant.library == "tensorflow":
        flags.import_tensorflow()
    # From a file, so that no process of PyTorch has to import TensorFlow to read the digits.
    images = np.load(values.images) if values.images else work.images()
    print(json.dumps(measure(contestant, values.network, images, values.warm_up, values.seconds)))


if __name__ == "__main__":
    sys.exit(run())
