"""What all contestants of a training benchmark have to do, and the least that it costs.

A DCGAN (Radford et al. 2015, https://arxiv.org/abs/1511.06434) on 28x28 images, batch 128.
"""

import io

import numpy as np

SHAPE = (28, 28, 1)
BATCH_SIZE = 128
LATENT_DIM = 100
LEARNING_RATE, BETA_1 = 2e-4, 0.5
LEAK = 0.2  # of the leaky ReLUs

# Multiply-adds per image of each layer, forwards. A transposed convolution costs what the
# convolution costs that goes the other way: pixels of the smaller image x channels x 4x4.
GENERATOR = (100 * 7 * 7 * 128, 7 * 7 * 128 * 64 * 4 * 4, 14 * 14 * 64 * 4 * 4)
DISCRIMINATOR = (14 * 14 * 64 * 4 * 4, 7 * 7 * 64 * 128 * 4 * 4, 7 * 7 * 128)


def overrides(**fields):
    """Returns this package's preset of it, and the fields that are not the preset's own."""
    return {"preset": "dcgan2015", "dataset": "digits"} | fields


def flops(g, d):
    """The fewest floating point operations per real image of one training step.

    Forwards a layer costs its multiply-adds once; backwards once for the gradient of its input
    and once for that of its weights. The step passes D forwards and backwards on real and on
    generated images, but for the gradient of the images themselves; G once in both directions,
    but for the gradient of the latents; and D again, updated, on the generated images, where
    its weights need no gradient. Normalisation, activations and Adam are not counted.

    Args:
        g, d: Multiply-adds of the layers of both players, forwards.
    """
    update_d = 2 * (3 * sum(d) - d[0])
    update_g = 3 * sum(g) - g[0] + 2 * sum(d)
    return 2 * (update_d + update_g)


FLOPS_PER_IMAGE = flops(GENERATOR, DISCRIMINATOR)


def save_images(path, dataset="digits"):
    """Writes the training images of a data set to a file, as the package trains on them.

    No speed depends on what they show: the embedded digits need no download.
    """
    from gan_keras import config, data  # `data` imports TensorFlow.

    rows = data.load(config.from_preset(**overrides(dataset=dataset))).rows
    np.save(path, np.asarray(rows.read(np.arange(rows.count))))


def images(path=None):
    """Returns what `save_images` wrote, by default of the digits: (n, 28, 28, 1) in [-1, 1]."""
    if path is None:
        path = io.BytesIO()
        save_images(path)
        path.seek(0)
    return np.load(path) / np.float32(127.5) - 1
