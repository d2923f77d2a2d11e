"""Who takes part in `benchmarks.train`.

A contestant's module has `build(network, images, **options)`, which returns an object with

- `run(clock)`: trains, and calls `clock.tick(steps)` after each call, until that is False;
- `wait()`: returns when all work is done that was handed to a device;
- `images_per_step`: real images in one step;
- `weights()`: the trainable weights of both players, `{"generator": [arrays], "discriminator":
  [arrays]}`, at the start or after `run`.
"""

import importlib.util
from typing import NamedTuple

from benchmarks import bound, workload
from gan_keras.errors import UsageError

INSTALL = "pip install --editable '.[bench]'"  # For the libraries that the package does not need.
DCGAN = ("dcgan",)


class Contestant(NamedTuple):
    """One program to measure, in one of its variants."""

    module: str  # In this folder.
    about: str
    dtype: str = "float32"  # Of its matrix products: which bound it is compared with.
    yardstick: bool = False  # Whether the others are compared with it, in a column of its own.
    library: str = "tensorflow"  # What has to be installed.
    networks: tuple = workload.NETWORKS
    options: dict | None = None


def _of_this_package(name, module, about, **options):
    return {
        f"{name}-{dtype}": Contestant(
            module,
            f"this package, {about}, {dtype}",
            dtype,
            options={"fields": {"mixed_precision": dtype}, **options},
        )
        for dtype in bound.DTYPES
    }


CONTESTANTS = {
    **_of_this_package("ours", "ours", "GAN.fit without callbacks", steps_per_call=8),
    **_of_this_package("command", "command", "train.py with all callbacks"),
    "torch-example": Contestant(
        "peers.torch_example",
        "PyTorch's DCGAN example, eager, float32",
        yardstick=True,
        library="torch",
        networks=DCGAN,
    ),
    "torch-best": Contestant(
        "peers.torch_best",
        "PyTorch, bfloat16 autocast, channels last, fused Adam, no .item()",
        dtype="bfloat16",
        yardstick=True,
        library="torch",
    ),
    "torch-best-float32": Contestant(
        "peers.torch_best",
        "the same in float32, for processors that are slow in bfloat16",
        library="torch",
        options={"autocast": False},
    ),
    "keras-guide": Contestant(
        "peers.keras_guide", "Keras' guide to custom training steps, float32", yardstick=True
    ),
    "keras-guide-bfloat16": Contestant(
        "peers.keras_guide",
        "the same, mixed_bfloat16",
        dtype="bfloat16",
        options={"dtype": "mixed_bfloat16"},
    ),
    "tensorflow-tutorial": Contestant(
        "peers.tensorflow_tutorial",
        "TensorFlow's DCGAN tutorial, float32",
        yardstick=True,
        networks=DCGAN,
    ),
}
# Not to be chosen: they take part wherever somebody of their dtype does.
BOUNDS = {
    f"bound-{dtype}": Contestant(
        "bound", f"a matrix product, {dtype}", dtype, options={"dtype": dtype}
    )
    for dtype in bound.DTYPES
}


def choose(network, names=()):
    """Returns who takes part, by default all that have this network, and who is left out.

    Returns:
        A dict from name to Contestant, in the order of turns, the bounds last; and the names
        that are left out, since a library is missing.

    Raises:
        UsageError: there is no such contestant, it does not have this network, or none is left.
    """
    able = [name for name, each in CONTESTANTS.items() if network in each.networks]
    for name in names:
        if name not in able:
            raise UsageError(f"--contestants={name}: for {network} choose from {', '.join(able)}")
    wanted = {name: CONTESTANTS[name] for name in names or able}
    left_out = [n for n, each in wanted.items() if not importlib.util.find_spec(each.library)]
    chosen = {name: each for name, each in wanted.items() if name not in left_out}
    if not chosen:
        raise UsageError(f"--contestants={','.join(names)}: none can take part; {INSTALL}")
    dtypes = {each.dtype for each in chosen.values()}
    return chosen | {name: each for name, each in BOUNDS.items() if each.dtype in dtypes}, left_out


def build(name, network, images, **options):
    """Builds a contestant, or a bound, with options beside its own."""
    contestant = {**CONTESTANTS, **BOUNDS}[name]
    module = importlib.import_module(f"benchmarks.{contestant.module}")
    return module.build(network, images, **{**(contestant.options or {}), **options})
