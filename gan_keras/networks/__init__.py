"""Generators and discriminators: functions that return a functional `keras.Model`.

A generator maps latents (batch, latent_dim) to float32 examples (batch, *shape); a discriminator
maps such examples to float32 logits (batch, 1). With classes both take a label as well, int64
(batch,): [latents, label] and [examples, label]. An example is an image (height, width, channels)
in [-1, 1], or a vector (length,) whose coordinates have a variance of about 1.
"""

from collections.abc import Sequence

import keras

from gan_keras.config import Config
from gan_keras.errors import UsageError
from gan_keras.networks import dcgan, labels, maxout, mlp, modulated, plain, points, residual
from gan_keras.networks.convolution import DoublingConv2DTranspose, HalvingConv2D
from gan_keras.networks.initial_weights import WeightSeeds
from gan_keras.networks.labels import classes_of, frequencies_of, set_frequencies

__all__ = [
    "NETWORKS",
    "POLICIES",
    "DoublingConv2DTranspose",
    "HalvingConv2D",
    "WeightSeeds",
    "build",
    "classes_of",
    "frequencies_of",
    "generator",
    "maxout",
    "set_frequencies",
]

NETWORKS = {
    "dcgan": dcgan,
    "plain": plain,
    "modulated": modulated,
    "residual": residual,
    "mlp": mlp,
    "maxout": maxout,
    "points": points,
}

# Keras' policies: float32 weights, and layers that compute in the shorter type.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def build(
    network: str,
    *,
    shape: Sequence[int],
    latent_dim: int,
    width: int,
    seed: int,
    precision: str = "float32",
    classes: int = 0,
) -> tuple[keras.Model, keras.Model]:
    """Builds the two networks of an architecture.

    Args:
        network: A key of `NETWORKS`.
        shape: Shape of one example.
        latent_dim: Length of a latent vector.
        width: How wide the layers are, in the architecture's own unit.
        seed: Integer from which all initial weights follow.
        precision: A key of `POLICIES`: what the layers compute in.
        classes: Number of classes; 0: nothing has a label.

    Returns:
        The generator and the discriminator.

    Raises:
        UsageError: the architecture cannot make examples of that shape.
    """
    if (len(shape) == 1) != (network == "points"):
        kind, choice = ("points", "points") if len(shape) == 1 else ("images", "dcgan or mlp")
        raise UsageError(f"--network={network}: is not for {kind}; choose {choice}")
    module = NETWORKS[network]
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        generator = _generator(module, shape, latent_dim, width, seed, classes)
        discriminator = module.discriminator(shape, width, seed=seed)
        if classes:
            discriminator = labels.project(discriminator, classes, seed)
    finally:
        keras.config.set_dtype_policy(policy)
    return generator, discriminator


def generator(config: Config, classes: int = 0) -> keras.Model:
    """Builds the generator of a Config alone, in float32, to restore weights into.

    Args:
        config: A Config.
        classes: Number of classes, as `len(config.load_classes(workdir))`.

    Returns:
        A model with inputs latents or, with classes, [latents, label].
    """
    module = NETWORKS[config.network]
    return _generator(module, config.shape, config.latent_dim, config.width, config.seed, classes)


def _generator(module, shape, latent_dim, width, seed, classes):
    if not classes:  # Points of a density take none.
        return module.generator(shape, latent_dim, width, seed=seed)
    generator = module.generator(shape, latent_dim, width, seed=seed, classes=classes)
    labels.share_equally(generator)
    return generator
