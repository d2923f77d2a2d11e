"""The two-player game: Algorithm 1 as a Keras model, its losses, priors and optimizers."""

from gan_keras.game.average import decay_of
from gan_keras.game.compiled_step import variables
from gan_keras.game.conditional import ConditionalGAN, class_at, draw_labels
from gan_keras.game.gan import GAN
from gan_keras.game.losses import OBJECTIVES
from gan_keras.game.priors import PRIORS

__all__ = [
    "GAN",
    "OBJECTIVES",
    "PRIORS",
    "ConditionalGAN",
    "class_at",
    "decay_of",
    "draw_labels",
    "variables",
]
