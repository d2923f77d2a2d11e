"""What a Config refuses: values out of their bounds, and values that do not go together."""

import sys

from gan_keras.errors import UsageError, visible

# Data sets whose density is known, and the length of their vectors.
DENSITIES = {"gaussians_1d": 1, "ring": 2, "grid": 2}

# Networks whose D sees each example alone: no statistics of the batch, and no dropout.
ALONE = ("plain", "modulated", "residual", "mlp", "points")
AUGMENTATIONS = ("color", "translation", "cutout")

# Bound of the whole numbers that have none of their own, and more than any run needs: what
# overflows inside TensorFlow fails with errors that name no flag.
LARGEST = 2**31 - 1


def value(item, value):
    """Compares one field's value with its type and bounds."""
    kind, bounds = item.type, item.metadata
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise UsageError(f"--{item.name}={value!r}: must be of type {kind.__name__}")
    # Written so that NaN fails too.
    if kind is float and not abs(value) <= sys.float_info.max:
        raise UsageError(f"--{item.name}={value}: must be finite")
    if kind is str and value != visible(value):
        raise UsageError(
            f"--{item.name}={value}: has characters that cannot be shown; choose another name"
        )
    return _bounds(item.name, value, bounds)


def _bounds(name, value, bounds):
    choices, least, most = bounds["choices"], bounds["least"], bounds["most"]
    above, below = bounds["above"], bounds["below"]
    if choices is not None and value not in choices:
        raise UsageError(f"--{name}={value}: choose from {', '.join(map(str, choices))}")
    if least is not None and not value >= least:
        raise UsageError(f"--{name}={value}: must be at least {least}")
    if most is None and type(value) is int:
        most = LARGEST
    if most is not None and not value <= most:
        raise UsageError(f"--{name}={value}: must be at most {most}")
    if above is not None and not value > above:
        raise UsageError(f"--{name}={value}: must be greater than {above}")
    if below is not None and not value < below:
        raise UsageError(f"--{name}={value}: must be less than {below}")


def together(config):
    """Refuses fields of a Config that contradict each other.

    Raises:
        UsageError: the message names one of them, and the remedy.
    """
    if config.labelled and config.dataset in DENSITIES:
        flag = "conditional" if config.conditional else f"clusters={config.clusters}"
        raise UsageError(f"--{flag}: {config.dataset} has no classes; leave it out")
    if config.conditional and config.clusters:
        raise UsageError(
            f"--clusters={config.clusters}: takes the place of classes; choose --clusters=0 or "
            "--noconditional"
        )
    if config.learning_rate_schedule == "cosine" and config.learning_rate_decay > 1:
        raise UsageError(
            f"--learning_rate_decay={config.learning_rate_decay}: not beside "
            "--learning_rate_schedule=cosine; choose one of them"
        )
    if config.ema_decay and config.ema_half_life:
        raise UsageError(
            f"--ema_half_life={config.ema_half_life}: not beside --ema_decay={config.ema_decay}; "
            "set one of them to 0"
        )
    _images_only(config)
    if (config.r1_weight or config.r2_weight) and config.network not in ALONE:
        flag = "r1_weight" if config.r1_weight else "r2_weight"
        *others, last = ALONE
        raise UsageError(
            f"--{flag}={getattr(config, flag)}: the discriminator of {config.network} has no "
            f"slope of each image alone; choose --network={', '.join(others)} or {last}"
        )


def _images_only(config):
    """Refuses what changes images, of data that are none, and changes that are unknown."""
    if unknown := [each for each in config.augmentations if each not in AUGMENTATIONS]:
        raise UsageError(
            f"--augment={config.augment}: {unknown[0]} is unknown; choose from "
            f"{', '.join(AUGMENTATIONS)}"
        )
    if config.augment_target and not config.augment:
        raise UsageError(
            f"--augment_target={config.augment_target}: nothing is augmented; give --augment="
            f"{','.join(AUGMENTATIONS)}, or --augment_target=0"
        )
    for name in ("augment", "flip"):
        if getattr(config, name) and config.dataset in DENSITIES:
            raise UsageError(f"--{name}: {config.dataset} has points, not images; leave it out")


def check_live(config):
    """Refuses a live view of what it cannot show.

    Raises:
        UsageError: the data are images.
    """
    if config.dataset not in DENSITIES:
        raise UsageError(
            f"--live: --dataset={config.dataset} has images, and the live view shows points; "
            f"choose --preset={', '.join(DENSITIES)}, or watch images in TensorBoard"
        )
