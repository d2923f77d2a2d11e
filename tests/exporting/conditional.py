"""A small generator of classes, as an export of a run with labels has it."""

import keras
import numpy as np
from keras import layers

CLASSES = ["cat", "dog", "7"]
LATENT_DIM = 8


def generator():
    """Two inputs; embeddings beside the latents and as gains of a normalisation; all varied."""
    latents = keras.Input((LATENT_DIM,), name="latents")
    label = keras.Input((), dtype="int64", name="label")
    beside = layers.Embedding(len(CLASSES), 4)(label)
    x = layers.Concatenate()([latents, beside])
    x = layers.Dense(6, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.BatchNormalization(center=False, scale=False)(layers.Dense(4 * 4 * 2)(x))
    x = layers.Multiply()([x, layers.Embedding(len(CLASSES), 4 * 4 * 2)(label)])
    x = layers.ReLU()(layers.Reshape((4, 4, 2))(x) + 0.5)  # A plain operation, not a layer.
    x = layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh")(x)
    model = keras.Model([latents, label], x)
    draws = np.random.default_rng(0)
    for variable in model.variables:
        if "variance" in variable.path:
            variable.assign(draws.uniform(0.5, 2, variable.shape))
        else:
            variable.assign(draws.normal(0, 0.6, variable.shape))
    return model
