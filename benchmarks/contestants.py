"""Who takes part in `benchmarks.train` and `benchmarks.quality`.

A contestant's class is made with (images, **options), and has

- `run(clock)`: trains, and calls `clock.tick(steps)` after each call, until that is False;
- `wait()`: returns when all work is done that was handed to a device;
- `images_per_step`: real images in one step;
- `pictures(count)`: (count, 28, 28, 1) float in [-1, 1], of the generator; a bound has none.
"""

import importlib.util
from typing import NamedTuple

from gan_keras.errors import UsageError

INSTALL = "pip install --editable '.[bench]'"  # For the libraries that the package does not need.
DTYPES = ("float32", "bfloat16")


class Contestant(NamedTuple):
    """One program to measure, in one of its variants."""

    made_by: str  # A class of a module in this folder.
    about: str
    dtype: str = "float32"  # Of its matrix products: which bound it is compared with.
    library: str = "tensorflow"  # What has to be installed.
    options: dict | None = None


CONTESTANTS = {
    **{
        f"ours-{dtype}": Contestant(
            "ours.Loop",
            f"this package, GAN.fit without callbacks, {dtype}",
            dtype,
            options={"fields": {"mixed_precision": dtype}, "steps_per_call": 8},
        )
        for dtype in DTYPES
    },
    "torch-example": Contestant(
        "peers.torch_dcgan.Example",
        "PyTorch's DCGAN example, eager, float32",
        library="torch",
    ),
    "torch-best": Contestant(
        "peers.torch_dcgan.Best",
        "PyTorch, bfloat16 autocast, channels last, fused Adam, no .item()",
        dtype="bfloat16",
        library="torch",
    ),
    "torch-best-float32": Contestant(
        "peers.torch_dcgan.Best",
        "the same in float32, for processors that are slow in bfloat16",
        library="torch",
        options={"autocast": False},
    ),
    "keras-guide": Contestant(
        "peers.keras_dcgan.Guide", "Keras' guide to custom training steps, float32"
    ),
    "keras-guide-bfloat16": Contestant(
        "peers.keras_dcgan.Guide",
        "the same, mixed_bfloat16",
        dtype="bfloat16",
        options={"dtype": "mixed_bfloat16"},
    ),
}
YARDSTICKS = ("torch-example", "torch-best", "keras-guide")  # In columns of their own.
# Not to be chosen: they take part wherever somebody of their dtype does.
BOUNDS = {
    f"bound-{dtype}": Contestant(
        "bound.Product", f"a matrix product, {dtype}", dtype, options={"dtype": dtype}
    )
    for dtype in DTYPES
}


def installed(names, others=()):
    """Returns those whose library is there, by default all, and prints who is left out.

    `others` are known as well, and need no library.

    Raises:
        UsageError: there is no such contestant, or none is left.
    """
    known = dict.fromkeys(others, "tensorflow")
    known |= {name: each.library for name, each in CONTESTANTS.items()}
    for name in names:
        if name not in known:
            raise UsageError(f"--contestants={name}: choose from {', '.join(known)}")
    found = [name for name in names or CONTESTANTS if importlib.util.find_spec(known[name])]
    left_out = [name for name in names or CONTESTANTS if name not in found]
    if not found:
        raise UsageError(f"--contestants={','.join(names)}: none can take part; {INSTALL}")
    if left_out:
        print(f"left out {', '.join(left_out)}: {INSTALL}")
    return found


def build(name, images=None, **options):
    """Makes a contestant, or a bound, with options beside its own."""
    contestant = {**CONTESTANTS, **BOUNDS}[name]
    module, made_by = contestant.made_by.rsplit(".", 1)
    made = getattr(importlib.import_module(f"benchmarks.{module}"), made_by)
    return made(images, **{**(contestant.options or {}), **options})
