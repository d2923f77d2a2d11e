"""The game's two losses as functions of logits, one value per example.

D(x) = sigmoid(logit). With log sigmoid(l) = -softplus(-l) and log(1 - sigmoid(l)) =
-softplus(l), nothing overflows and no epsilon is needed. Real before fake; 1 means real.

Reference: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661
"""

import tensorflow as tf
from keras import ops


def discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of both halves: -log D(x) - log(1 - D(G(z))).

    Its mean is -V(D, G), in nats.

    Args:
        real_logits: Logits of real images, float (batch, 1).
        fake_logits: Logits of generated images, of the same shape.

    Returns:
        Losses in nats, of the same shape.
    """
    return ops.softplus(-real_logits) + ops.softplus(fake_logits)


def non_saturating(fake_logits: tf.Tensor) -> tf.Tensor:
    """-log D(G(z)): the paper's advice for practice, a strong gradient while D wins.

    Args:
        fake_logits: Logits of generated images, float (batch, 1).

    Returns:
        Losses in nats, of the same shape.
    """
    return ops.softplus(-fake_logits)


def minimax(fake_logits: tf.Tensor) -> tf.Tensor:
    """log(1 - D(G(z))): the game's own formula, which saturates while D wins.

    Args:
        fake_logits: Logits of generated images, float (batch, 1).

    Returns:
        Losses in nats, of the same shape; never positive.
    """
    return -ops.softplus(fake_logits)


GENERATOR_LOSSES = {"non_saturating": non_saturating, "minimax": minimax}
