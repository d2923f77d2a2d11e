"""`python -m benchmarks.gpu`: the tables of one card, by one command, in ten minutes."""

import sys
import tempfile
import time
from typing import ClassVar

from benchmarks import commands, processes, report, runner, workload
from benchmarks.train import FLOPS, SPEED
from gan_keras.errors import UsageError, UserError

FAILED = "failed"
# What the layers compute in, as fields of the configuration.
ARITHMETIC = {
    "float32": {"mixed_precision": "float32", "tf32": False},
    "tf32": {"mixed_precision": "float32", "tf32": True},
    "bfloat16": {"mixed_precision": "bfloat16"},
    "float16": {"mixed_precision": "float16"},
}
XLA = {"XLA": {"jit_compile": "true"}, "no-XLA": {"jit_compile": "false"}}
STEPS_PER_CALL, BATCH_SIZES = (1, 8, 32), (128, 256, 512, 1024, 2048)
SMALL_SIZE, LARGE_SIZES, LARGE = workload.SHAPE[0], (64, 128), "residual"
PEERS = {
    "PyTorch eager": {"name": "torch-example"},
    "PyTorch tuned": {"name": "torch-best"},
    "PyTorch compiled": {"name": "torch-best", "compiled": True},
}
SIDE = 8192  # Of the bound's matrices: a large card is done with 2048 before the next is started.


class Gpu(runner.Benchmark):
    """Every part is a process of its own; one that fails, or has no time left, says so.

    Most of a part's time goes into imports and the making of networks: several parts do that at
    once, and then they compute one after the other, each alone.
    """

    name = "gpu"
    summary = (
        "Measures training, sampling, start and memory on a GPU, in many settings beside PyTorch "
        "and a matrix product, each in a fresh process, and writes the tables of this card."
    )
    flags: ClassVar = {
        "rounds": (1, "How often everything is measured."),
        "minutes": (10.0, "What would begin later than that is left out."),
        "seconds": (3.0, "Per measurement."),
        "warm_up": (1.5, "Seconds before each, after the first call."),
        "only": ([], "Parts whose names begin so; by default all."),
        "together": (8, "Parts that are prepared at once."),
        "without_gpu": ("", "Anything: run without a GPU as well, to try the command."),
    }
    columns = (
        report.Column("images/s", SPEED),
        report.Column("FLOP/s", FLOPS, ".3g", {"/ bound": lambda name: bound_of(name)}),
        report.Column("peak MiB", "memory_mib"),
    )

    def __init__(self, values, folder):
        if not values.without_gpu and not processes.measure("benchmarks.gpu.count"):
            raise UsageError("TensorFlow finds no GPU: mend that, or give --without_gpu=yes")
        images = str(folder / "images.npy")
        processes.measure("benchmarks.workload.save_images", path=images)
        timing = {"seconds": values.seconds, "warm_up": values.warm_up}
        every = parts(timing, images)
        for start in values.only:
            if not any(name.startswith(start) for name in every):
                raise UsageError(f"--only={start}: no part begins so; there are {', '.join(every)}")
        self.parts = {
            name: part
            for name, part in every.items()
            if not values.only or name.startswith(tuple(values.only))
        }
        self.together, self.prepared = values.together, {}
        self.ends = time.monotonic() + 60 * values.minutes

    def measure(self, name, number):
        if time.monotonic() > self.ends:
            return {FAILED: "left out: --minutes are over"}
        if name not in self.prepared:
            self.prepared = self.prepare(name)
        try:
            return self.prepared.pop(name).measure()
        except UserError as error:
            return {FAILED: str(error)}

    def prepare(self, first):
        """Returns a part and those after it, when they all wait for their turn."""
        names = list(self.parts)
        begun = {}
        for name in names[names.index(first) :][: self.together]:
            function, arguments = self.parts[name]
            begun[name] = processes.Prepared(f"benchmarks.{function}", **arguments)
        return {name: part.wait() for name, part in begun.items()}

    def table(self, rounds):
        others = [
            f"- {name}: {self.line(results[name])}"
            for results in rounds
            for name in self.parts
            if SPEED not in results[name]
        ]
        return "\n\n".join([super().table(rounds), "\n".join(others)])


def bound_of(name):
    """Returns the name of the matrix product in the arithmetic of a part, if that has one."""
    return f"bound {name.split()[2]}" if "steps=" in name else None


def parts(timing, images):
    """Returns a dict from a part's name to its function and the arguments; bounds first.

    One setting is varied at a time, from bfloat16, XLA, 32 steps per call and a batch of 128. A
    bound's images are those of 28 pixels.
    """
    found = {}

    def train(part, **arguments):
        found[part] = ("train.measure", {"images": images, **arguments, **timing})

    def ours(size, arithmetic="bfloat16", xla="XLA", steps=32, batch=128):
        fields = {"batch_size": batch, **ARITHMETIC[arithmetic], **XLA[xla]}
        network = "dcgan"
        if size in LARGE_SIZES:
            network = LARGE
            fields |= {"network": LARGE, "image_size": size, "channels": 3}
        # Without commas: --only has them between names.
        part = f"{network} {size} {arithmetic} {xla} steps={steps} batch={batch}"
        train(part, name="ours-float32", fields=fields, steps_per_call=steps)

    for arithmetic, fields in ARITHMETIC.items():
        about = {"dtype": fields["mixed_precision"], "tf32": fields.get("tf32", True)}
        train(f"bound {arithmetic}", name="bound-float32", side=SIDE, **about)
    kinds = [(arithmetic, xla) for arithmetic in reversed(ARITHMETIC) for xla in XLA]
    for kind in kinds:
        ours(SMALL_SIZE, *kind)
    for steps in STEPS_PER_CALL:
        ours(SMALL_SIZE, steps=steps)
    for batch in BATCH_SIZES:
        ours(SMALL_SIZE, batch=batch)
    for part, arguments in PEERS.items():
        train(part, **arguments)
    found["start"] = ("start.first_step", workload.overrides(steps=100))
    found["sampling"] = ("gpu.sampled", timing)
    for size in LARGE_SIZES:
        for kind in kinds:
            ours(size, *kind)
    return found


def count():
    """Returns the number of GPUs that TensorFlow finds."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def sampled(seconds, warm_up):
    """Measures pictures per second of an export, by batch size."""
    from benchmarks import sample

    with tempfile.TemporaryDirectory() as folder:
        processes.turn()
        commands.exports(folder)
        found = sample.measure("exported", folder, warm_up, seconds)
    return {f"batch {size}, images/s": round(found[str(size)]) for size in sample.BATCH_SIZES}


if __name__ == "__main__":
    sys.exit(runner.run(Gpu))
