"""Who takes part in `benchmarks.train`: a line each.

A contestant's module has `build(network, images, **options)`, which returns an object with

- `run(clock)`: trains, and calls `clock.tick(steps)` after each call, until that is False;
- `wait()`: returns when all work is done that was handed to a device;
- `images_per_step`: real images in one step;
- `weights()`: the trainable weights of both players, `{"generator": [arrays], "discriminator":
  [arrays]}`, at the start or after `run`.
"""

import importlib.util
from dataclasses import dataclass, field

from benchmarks import bound, work
from gan_keras.errors import UsageError

# The version that the peers are written for, and what is told to those who miss it.
INSTALL = {"torch": "pip install --editable '.[bench]'"}


@dataclass(frozen=True)
class Contestant:
    """One program to measure, in one of its variants."""

    module: str
    about: str
    options: dict = field(default_factory=dict)
    dtype: str = "float32"  # Of its matrix products: which bound it is held against.
    networks: tuple = work.NETWORKS
    library: str = "tensorflow"  # What has to be installed.
    yardstick: bool = False  # Whether the others are held against it, in a column of its own.


# The package's own precisions: the fields of the configuration, and the dtype that they mean.
OURS = {dtype: {"mixed_precision": dtype} for dtype in ("float32", "bfloat16")}

CONTESTANTS = {
    **{
        f"ours-{dtype}": Contestant(
            "benchmarks.ours",
            f"this package, GAN.fit without callbacks, {dtype}",
            {"fields": fields, "steps_per_call": 8},
            dtype,
        )
        for dtype, fields in OURS.items()
    },
    **{
        f"command-{dtype}": Contestant(
            "benchmarks.command",
            f"this package, train.py with all callbacks, {dtype}",
            {"fields": fields},
            dtype,
        )
        for dtype, fields in OURS.items()
    },
    "torch-example": Contestant(
        "benchmarks.peers.torch_example",
        "PyTorch's DCGAN example, eager, float32",
        networks=("dcgan",),
        library="torch",
        yardstick=True,
    ),
    "torch-best": Contestant(
        "benchmarks.peers.torch_best",
        "PyTorch, bfloat16 autocast, channels last, fused Adam, no .item()",
        dtype="bfloat16",
        library="torch",
        yardstick=True,
    ),
    "torch-best-float32": Contestant(
        "benchmarks.peers.torch_best",
        "the same in float32, for processors that are slow in bfloat16",
        {"autocast": False},
        library="torch",
    ),
    "keras-guide": Contestant(
        "benchmarks.peers.keras_guide",
        "Keras' guide to custom training steps, float32",
        yardstick=True,
    ),
    "keras-guide-bfloat16": Contestant(
        "benchmarks.peers.keras_guide",
        "the same, mixed_bfloat16",
        {"dtype": "mixed_bfloat16"},
        dtype="bfloat16",
    ),
    "tensorflow-tutorial": Contestant(
        "benchmarks.peers.tensorflow_tutorial",
        "TensorFlow's DCGAN tutorial, float32",
        networks=("dcgan",),
        yardstick=True,
    ),
}

# Not to be chosen: they take part wherever somebody of their dtype does.
BOUNDS = {
    f"bound-{dtype}": Contestant(
        "benchmarks.bound", f"a matrix product, {dtype}", {"dtype": dtype}, dtype
    )
    for dtype in bound.DTYPES
}


def choose(network, names=()):
    """Returns who takes part, and who is left out.

    Args:
        network: `dcgan` or `mlp`.
        names: Contestants; all that have this network by default.

    Returns:
        A dict from name to Contestant, in the order of turns, the bounds last; and a dict from
        the names that are left out, since a library is missing, to what installs it.

    Raises:
        UsageError: there is no such contestant, it does not have this network, or none is left.
    """
    able = [name for name, each in CONTESTANTS.items() if network in each.networks]
    for name in names:
        if name not in able:
            raise UsageError(f"--contestants={name}: for {network} choose from {', '.join(able)}")
    wanted = {name: CONTESTANTS[name] for name in names or able}
    left_out = {
        name: INSTALL[each.library]
        for name, each in wanted.items()
        if each.library in INSTALL and importlib.util.find_spec(each.library) is None
    }
    chosen = {name: each for name, each in wanted.items() if name not in left_out}
    if not chosen:
        raise UsageError(
            f"--contestants={','.join(names)}: none can take part; "
            f"{' and '.join(sorted(set(left_out.values())))}"
        )
    dtypes = {each.dtype for each in chosen.values()}
    bounds = {name: each for name, each in BOUNDS.items() if each.dtype in dtypes}
    return {**chosen, **bounds}, left_out
