"""What all contestants of a training benchmark have to do, and the least that it costs."""

import numpy as np

SHAPE = (28, 28, 1)
BATCH_SIZE = 128
LATENT_DIM = 100
# Radford et al. 2015, https://arxiv.org/abs/1511.06434
LEARNING_RATE, BETA_1 = 2e-4, 0.5
LEAK = 0.2  # of the leaky ReLUs

# Multiply-adds per image of each layer, forwards. A transposed convolution costs what the
# convolution costs that goes the other way: pixels of the smaller image x channels x 4x4.
LAYERS = {
    "dcgan": {
        "generator": (100 * 7 * 7 * 128, 7 * 7 * 128 * 64 * 4 * 4, 14 * 14 * 64 * 4 * 4),
        "discriminator": (14 * 14 * 64 * 4 * 4, 7 * 7 * 64 * 128 * 4 * 4, 7 * 7 * 128),
    },
    "mlp": {
        "generator": (100 * 256, 256 * 512, 512 * 784),
        "discriminator": (784 * 512, 512 * 256, 256),
    },
}
NETWORKS = tuple(LAYERS)
# The package's own presets of these networks; they train on MNIST, which needs a download.
PRESETS = {"dcgan": "dcgan2015", "mlp": "mlp"}


def overrides(network, fields=None):
    """Returns the preset, and the fields of the configuration that are not the preset's own."""
    return {"preset": PRESETS[network], "dataset": "digits", **(fields or {})}


def flops_per_image(network):
    """The fewest floating point operations per real image of one training step."""
    return flops(LAYERS[network]["generator"], LAYERS[network]["discriminator"])


def flops(g, d):
    """The same of two networks, from the multiply-adds of their layers, forwards.

    Forwards a layer costs its multiply-adds once; backwards once for the gradient of its input
    and once for that of its weights. The step passes D forwards and backwards on real and on
    generated images, but for the gradient of the images themselves; G once in both directions,
    but for the gradient of the latents; and D again, updated, on the generated images, where
    its weights need no gradient. Normalisation, activations and Adam are not counted.
    """
    update_d = 2 * (3 * sum(d) - d[0])
    update_g = 3 * sum(g) - g[0] + 2 * sum(d)
    return 2 * (update_d + update_g)


def images():
    """Returns the embedded digits as the package trains on them at 28x28.

    They are real pictures of the right size that need no download; no number depends on what
    they show.

    Returns:
        (1797, 28, 28, 1) float32 in [-1, 1].
    """
    from gan_keras.data import digits  # Imports TensorFlow.

    pixels = np.concatenate([chunk for _, chunk in digits.source(SHAPE[0], SHAPE[2]).chunks()])
    return (pixels / np.float32(127.5) - 1).astype(np.float32)
