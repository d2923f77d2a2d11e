"""`python -m benchmarks.gpu`: the tables of one card, by one command, in ten minutes."""

import math
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import numpy as np

from benchmarks import command, exported, processes, report, runner, start, workload
from benchmarks import rounds as played
from benchmarks.clock import Clock
from gan_keras.cli import flags
from gan_keras.errors import UsageError, UserError

SPEED, SHARE, FAILED = "images_per_second", "share_of_bound", "failed"
# What the layers compute in, as fields of the configuration.
ARITHMETIC = {
    "float32": {"mixed_precision": "float32", "tf32": False},
    "tf32": {"mixed_precision": "float32", "tf32": True},
    "bfloat16": {"mixed_precision": "bfloat16"},
    "float16": {"mixed_precision": "float16"},
}
XLA = {"XLA": {"jit_compile": "true"}, "no XLA": {"jit_compile": "false"}}
STEPS_PER_CALL, BATCH_SIZES = (1, 8, 32), (128, 256, 512, 1024, 2048)
LARGE_SIZES = (64, 128)
PEERS = {
    "PyTorch eager": ("torch-example", {}),
    "PyTorch tuned": ("torch-best", {}),
    "PyTorch compiled": ("torch-best", {"compiled": True}),
}
SIDE = 8192  # Of the bound's matrices: a large card is done with 2048 before the next is started.


class Gpu:
    """Every part is a process of its own; one that fails, or has no time left, says so."""

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
        "large": ("plain", "Network of the pictures of 64 and 128 pixels.", ("plain", "dcgan")),
        "only": ([], "Parts whose names begin so; by default all."),
        "without_gpu": ("", "Anything: run without a GPU as well, to try the command."),
    }

    def __init__(self, values, folder):
        flags.import_tensorflow()
        if not values.without_gpu and not processes.measure("benchmarks.gpu.count"):
            raise UsageError("TensorFlow finds no GPU: mend that, or give --without_gpu=yes")
        images = folder / "images.npy"
        np.save(images, workload.images())
        timing = {"seconds": values.seconds, "warm_up": values.warm_up}
        self.parts = {
            name: part
            for name, part in parts(timing, values.large, str(images)).items()
            if not values.only or name.startswith(tuple(values.only))
        }
        self.names = list(self.parts)
        self.facts = {"parts": {name: arguments for name, (_, arguments) in self.parts.items()}}
        self.ends = time.monotonic() + 60 * values.minutes

    def measure(self, name):
        function, arguments = self.parts[name]
        if time.monotonic() > self.ends:
            return {FAILED: "left out: --minutes are over"}
        try:
            return processes.measure(f"benchmarks.gpu.{function}", **arguments)
        except UserError as error:
            return {FAILED: str(error)}

    def line(self, result):
        return ", ".join(
            f"{key} {value:,.5g}" if isinstance(value, int | float) else f"{key}: {value}"
            for key, value in result.items()
        )

    def table(self, rounds):
        rows = []
        for name in self.names:
            results = [results[name] for results in rounds if FAILED not in results[name]]
            speed = _cell(results, SPEED, ",.0f")
            memory = _cell(results, "memory_mib", ",.0f")
            rows.append([name, speed, _cell(shares(rounds, name), SHARE, ".2f"), memory])
        found = report.table(["", "images/s", "/ bound", "peak MiB"], rows)
        others = [
            f"- {name}: {self.line(results[name])}"
            for results in rounds
            for name in self.names
            if SPEED not in results[name]
        ]
        return "\n\n".join([found, report.caption(rounds), "\n".join(others)])


def _cell(results, key, form):
    numbers = [result[key] for result in results if result.get(key) is not None]
    return report.number(played.spread(numbers), form) if numbers else ""


def shares(rounds, name):
    """Returns, for each round that has both, what part of the bound's FLOP/s a part reached."""
    bound = f"bound {name.split(', ')[1]}" if ", " in name else ""
    return [
        {SHARE: results[name][SPEED] * results[name]["flops_per_image"] / results[bound]["flops"]}
        for results in rounds
        if SPEED in results[name] and "flops" in results.get(bound, {})
    ]


def parts(timing, large, images):
    """Returns a dict from a part's name to its function here and the arguments; bounds first.

    One setting is varied at a time, from bfloat16, XLA, 32 steps per call and a batch of 128.
    """
    found = {f"bound {name}": ("product", {"arithmetic": name, **timing}) for name in ARITHMETIC}

    def add(label, size, arithmetic, xla, steps=STEPS_PER_CALL[-1], batch=BATCH_SIZES[0]):
        fields = {"batch_size": batch, **ARITHMETIC[arithmetic], **XLA[xla]}
        if size != workload.SHAPE[0]:
            fields |= {"network": large, "image_size": size, "channels": 3}
        name = f"{label} {size}, {arithmetic}, {xla}, {steps} steps per call, batch {batch}"
        found[name] = ("train", {"fields": fields, "steps_per_call": steps, **timing})

    for size in (workload.SHAPE[0], *LARGE_SIZES):
        for arithmetic in reversed(ARITHMETIC):
            for xla in XLA:
                add("dcgan" if size == workload.SHAPE[0] else large, size, arithmetic, xla)
        if size == workload.SHAPE[0]:
            for steps in STEPS_PER_CALL:
                add("dcgan", size, "bfloat16", "XLA", steps=steps)
            for batch in BATCH_SIZES:
                add("dcgan", size, "bfloat16", "XLA", batch=batch)
            for name, (peer, options) in PEERS.items():
                arguments = {"name": peer, "images": images, "options": options, **timing}
                found[name] = ("peer", arguments)
            found["start"], found["sampling"] = ("started", {}), ("sampled", timing)
    return found


def count():
    """Returns the number of GPUs that TensorFlow finds."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def product(arithmetic, seconds, warm_up, side=SIDE):
    """Measures a matrix product: a dict with `flops`, floating point operations per second."""
    import tensorflow as tf

    fields = ARITHMETIC[arithmetic]
    tf.config.experimental.enable_tensor_float_32_execution(fields.get("tf32", True))
    numbers = tf.random.stateless_normal((2, side, side), (0, 1))
    left, right = tf.cast(numbers, fields["mixed_precision"])
    multiply, results = tf.function(tf.matmul), [None]

    def call():
        results[0] = multiply(left, right)

    clock = Clock(warm_up, seconds, wait=lambda: results[0][0, 0].numpy())
    clock.time(call)
    return {"flops": clock.steps * 2 * side**3 / clock.elapsed}


def train(fields, steps_per_call, seconds, warm_up):
    """Measures training steps of this package, and the most memory of the card that they took."""
    import tensorflow as tf

    from benchmarks.ours import Loop

    loop = Loop("dcgan", fields=fields, steps_per_call=steps_per_call)
    clock = Clock(warm_up, seconds, loop.wait)
    loop.run(clock)
    generator, discriminator = (
        multiply_adds(network) for network in (loop.gan.generator, loop.gan.discriminator)
    )
    memory = None
    if count():
        memory = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    return {
        SPEED: clock.steps * loop.images_per_step / clock.elapsed,
        "flops_per_image": workload.flops(generator, discriminator),
        "memory_mib": memory,
    }


def multiply_adds(network):
    """Returns the multiply-adds per example of each layer that has a kernel, forwards."""
    from keras.layers import Conv2DTranspose

    found = []
    for layer in network.layers:
        if (kernel := getattr(layer, "kernel", None)) is not None:
            # A transposed convolution costs what the one costs that goes the other way.
            small = layer.input if isinstance(layer, Conv2DTranspose) else layer.output
            found.append(math.prod(small.shape[1:-1]) * math.prod(kernel.shape))
    return found


def peer(name, images, options, seconds, warm_up):
    """Measures another program's training steps of the DCGAN on 28x28 images, batch 128."""
    from benchmarks import contestants

    built = contestants.build(name, "dcgan", np.load(images), **options)
    clock = Clock(warm_up, seconds, built.wait)
    built.run(clock)
    return {SPEED: clock.steps * built.images_per_step / clock.elapsed}


def sampled(seconds, warm_up):
    """Measures pictures per second of an export, by batch size."""
    from benchmarks import sampling_methods

    with tempfile.TemporaryDirectory() as folder:
        exported.make(Path(folder), "dcgan")
        found = sampling_methods.measure("exported", folder, warm_up, seconds)
    return {f"batch {size}, images/s": found[str(size)] for size in sampling_methods.BATCH_SIZES}


def started():
    """Measures the seconds to the first step of `train.py`, and the host's memory."""
    with tempfile.TemporaryDirectory() as folder:
        fields = {**workload.overrides("dcgan"), "steps": 100, "workdir": f"{folder}/run"}
        return start.watch([sys.executable, *command.train_arguments(**fields)], start.STEP)


if __name__ == "__main__":
    sys.exit(runner.run(Gpu))
