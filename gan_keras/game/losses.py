"""The players' losses as functions of logits, one value per example.

D(x) = sigmoid(logit). With log sigmoid(l) = -softplus(-l) and log(1 - sigmoid(l)) =
-softplus(l), nothing overflows and no epsilon is needed. Real before fake; 1 means real.

References:
    Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661
    Relativistic pairing: Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734; Huang et
    al. 2024, https://arxiv.org/abs/2501.05441
"""

import dataclasses
from collections.abc import Callable

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


def relativistic_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """-log sigmoid(l(x) - l(G(z))): D is to give the real one of a pair the greater logit.

    Its mean is -V. With D* the best is log 2 - JSD(p_data x p_g || p_g x p_data), at most log 2:
    `theory.pair_value`.

    Args:
        real_logits: Logits l(x) of real images, float (batch, 1).
        fake_logits: Logits l(G(z)) of generated images, of the same shape; row i is compared with
            row i.

    Returns:
        Losses in nats, of the same shape.
    """
    return ops.softplus(fake_logits - real_logits)


def relativistic_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """-log sigmoid(l(G(z)) - l(x)): the same with the pair's roles exchanged, which G is to lower.

    Args:
        real_logits: As of `relativistic_discriminator`.
        fake_logits: As of `relativistic_discriminator`.

    Returns:
        Losses in nats, of the same shape.
    """
    return ops.softplus(real_logits - fake_logits)


def probabilities(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """D(x) and D(G(z)): how probable it is, to D, that each is real."""
    return ops.sigmoid(real_logits), ops.sigmoid(fake_logits)


def pair_probabilities(
    real_logits: tf.Tensor, fake_logits: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """How probable it is, to D, that x is the real one of a pair, and that G(z) is."""
    margins = real_logits - fake_logits
    return ops.sigmoid(margins), ops.sigmoid(-margins)


@dataclasses.dataclass(frozen=True)
class Objective:
    """What the players minimise, and what D's logits mean by it.

    Attributes:
        discriminator: D's losses as a function of real and fake logits.
        generator: G's losses as a function of fake logits; of real and fake ones if `in_pairs`.
        probabilities: Function from real and fake logits to what D gives to both.
        in_pairs: Whether logits are compared pair by pair, so that they mean nothing alone.
        terms: Logarithms in V, each -log 2 where p_g = p_data.
    """

    discriminator: Callable
    generator: Callable
    probabilities: Callable
    in_pairs: bool
    terms: int


OBJECTIVES = {
    "non_saturating": Objective(discriminator_loss, non_saturating, probabilities, False, 2),
    "minimax": Objective(discriminator_loss, minimax, probabilities, False, 2),
    "relativistic": Objective(
        relativistic_discriminator, relativistic_generator, pair_probabilities, True, 1
    ),
}


def share_of_global_mean(losses: tf.Tensor) -> tf.Tensor:
    """Returns this replica's share of the mean over the global batch.

    Optimizers add up the replicas' gradients: this is the one place that divides by their
    number.
    """
    return tf.reduce_mean(losses) / tf.distribute.get_strategy().num_replicas_in_sync
