"""`python -m benchmarks.train`: training steps of this package and of its peers, in turn."""

import sys
from typing import ClassVar

from benchmarks import bound, contestants, processes, report, runner, workload
from benchmarks.clock import Clock

SPEED, FLOPS = "images_per_second", "flops_per_second"


class Train(runner.Benchmark):
    """Images per second of training steps, and their share of the bound."""

    name = "train"
    summary = (
        "Measures training steps of this package and of its peers, in turn and each time in a "
        "fresh process, and prints medians of the ratios within a round."
    )
    flags: ClassVar = {
        "seconds": (10.0, "Per measurement."),
        "warm_up": (3.0, "Seconds before each measurement, after the first step."),
        "contestants": ([], f"By default all: {', '.join(contestants.CONTESTANTS)}."),
    }
    title = "dcgan"

    def __init__(self, values, folder):
        names = contestants.installed(values.contestants)
        self.chosen = {name: contestants.CONTESTANTS[name] for name in names}
        dtypes = {each.dtype for each in self.chosen.values()}
        bounds = contestants.BOUNDS.items()
        self.chosen |= {name: each for name, each in bounds if each.dtype in dtypes}
        images = str(folder / "images.npy")
        processes.measure("benchmarks.workload.save_images", path=images)
        same = {"images": images, "warm_up": values.warm_up, "seconds": values.seconds}
        self.parts = {name: ("train.measure", {"name": name, **same}) for name in self.chosen}
        over = report.over(*(name for name in contestants.YARDSTICKS if name in names))
        over["/ bound"] = lambda name: f"bound-{self.chosen[name].dtype}"
        self.columns = [report.Column("images/s", SPEED, over=over)]

    def table(self, rounds):
        about = [f"- `{name}`: {each.about}" for name, each in self.chosen.items()]
        product = (
            f"A bound is a product of two {bound.SIDE}x{bound.SIDE} matrices "
            f"({bound.FLOPS / 1e9:.1f} GFLOP), at {workload.FLOPS_PER_IMAGE / 1e6:.1f} MFLOP per "
            "image."
        )
        return "\n\n".join([super().table(rounds), product, "\n".join(about)])


def measure(name, images=None, warm_up=3.0, seconds=10.0, **options):
    """Builds a contestant, or a bound, in this process and lets it train.

    Args:
        name, options: As of `contestants.build`.
        images: File of `workload.save_images`; the digits by default.
        warm_up, seconds: As of `Clock`.

    Returns:
        A dict: images_per_second, flops_per_second, steps, seconds, and what the contestant has to
        tell about itself.
    """
    # From a file, so that no process of PyTorch has to import TensorFlow to read the digits.
    built = contestants.build(name, workload.images(images), **options)
    processes.turn()
    clock = Clock(warm_up, seconds, built.wait)
    built.run(clock)
    about = {"flops_per_image": workload.FLOPS_PER_IMAGE}
    about |= built.about() if hasattr(built, "about") else {}
    speed = clock.steps * built.images_per_step / clock.elapsed
    measured = {SPEED: speed, FLOPS: speed * about["flops_per_image"]}
    return measured | {"steps": clock.steps, "seconds": clock.elapsed, **about}


if __name__ == "__main__":
    sys.exit(runner.run(Train))
