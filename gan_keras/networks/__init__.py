"""Generators and discriminators: functions that return a functional `keras.Model`.

A generator maps latents (batch, latent_dim) to float32 images (batch, size, size,
channels) in [-1, 1]; a discriminator maps such images to float32 logits (batch, 1).
"""

from gan_keras.networks import dcgan, mlp

NETWORKS = {"dcgan": dcgan, "mlp": mlp}


def build(network, *, image_size, channels, latent_dim, width, seed):
    """Builds the two networks of an architecture.

    Args:
        network: A key of `NETWORKS`.
        image_size: Height and width of the images, in pixels.
        channels: 1 or 3.
        latent_dim: Length of a latent vector.
        width: How wide the layers are, in the architecture's own unit.
        seed: Integer from which all initial weights follow.

    Returns:
        The generator and the discriminator.

    Raises:
        UsageError: the architecture cannot make images of that size.
    """
    module = NETWORKS[network]
    generator = module.generator(image_size, channels, latent_dim, width, seed=2 * seed)
    discriminator = module.discriminator(image_size, channels, width, seed=2 * seed + 1)
    return generator, discriminator
