"""The networks of `plain`, but every layer of G reads latents and label, not only the first.

After its normalisation each feature is scaled and shifted by affine functions of latents and label,
which change nothing at first. So class and colours need not pass through all layers from the first.

References:
    By the label: Dumoulin et al. 2017, https://arxiv.org/abs/1610.07629; in a GAN, Miyato and
    Koyama 2018, https://arxiv.org/abs/1802.05637
    By the latents as well: Brock et al. 2019, https://arxiv.org/abs/1809.11096
"""

from collections.abc import Sequence

import keras
from keras import layers

from gan_keras.networks import plain

discriminator = plain.discriminator


def generator(
    shape: Sequence[int], latent_dim: int, width: int, seed: int, classes: int = 0
) -> keras.Model:
    """As `plain.generator`: the same arguments, sizes and errors."""
    return plain.generator(shape, latent_dim, width, seed, classes, between=modulate)


def modulate(x, first):
    """Scales and shifts features (batch, h, w, n), each by a function of `first` (batch, m)."""
    filters = x.shape[-1]

    def affine(start):
        made = layers.Dense(filters, kernel_initializer="zeros", bias_initializer=start)(first)
        return layers.Reshape((1, 1, filters))(made)

    return layers.Add()([layers.Multiply()([x, affine("ones")]), affine("zeros")])
