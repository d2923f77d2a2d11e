"""Where a label goes in: beside the latents of G, and as a projection into D.

References:
    The projection: Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637
    Label and latents of one size: Karras et al. 2020, https://arxiv.org/abs/2006.06676
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from gan_keras.config.random_streams import PROJECTION_WEIGHTS
from gan_keras.networks.initial_weights import WeightSeeds


def inputs(latent_dim, classes=0):
    """The generator's inputs.

    Args:
        latent_dim: Length of a latent vector.
        classes: Number of classes; 0: no label.

    Returns:
        What the model takes, latents (batch, latent_dim) or [latents, label] with int64 labels
        (batch,), and the (batch, latent_dim + classes) tensor that the layers read.
    """
    latents = keras.Input((latent_dim,), name="latents")
    if not classes:
        return latents, latents
    label = keras.Input((), dtype="int64", name="label")
    return [latents, label], layers.Concatenate()([latents, OneHot(classes)(label)])


def share_equally(generator: keras.Model) -> None:
    """Lets labels and latents begin with equal shares in what a generator's first layer adds up.

    Of n latents, each of variance 1, and one 1 among zeros, the label would have a share of
    1/(n + 1): while D hardly looks at labels, G learns to go without. Its initial weights are
    made sqrt(n) times as large.

    Args:
        generator: Model with the inputs [latents, label], whose first layer is Dense.
    """
    count = generator.inputs[0].shape[-1]
    dense = next(layer for layer in generator.layers if isinstance(layer, layers.Dense))
    larger = np.where(np.arange(dense.kernel.shape[0]) < count, 1.0, count**0.5)
    dense.kernel.assign(dense.kernel * larger[:, np.newaxis].astype("float32"))


def project(discriminator: keras.Model, classes: int, seed: int) -> keras.Model:
    """Lets a discriminator see labels: its logit plus <e(label), h>, h what its last layer reads.

    Args:
        discriminator: Functional model that ends in a Dense layer of one unit.
        classes: Number of classes.
        seed: Integer from which the initial embeddings e follow.

    Returns:
        Model from [images, label], int64 (batch,), to float32 logits (batch, 1). It shares the
        layers of `discriminator`.
    """
    label = keras.Input((), dtype="int64", name="label")
    features = discriminator.layers[-1].input
    inner = Projection(classes, seed, dtype="float32")([features, label])
    logits = layers.Add(dtype="float32")([discriminator.output, inner])
    return keras.Model([discriminator.input, label], logits, name=discriminator.name)


def frequencies_of(generator: keras.Model) -> np.ndarray | None:
    """Returns how frequent each class is, float32 (classes,) of sum 1; None without classes."""
    layer = _layer(generator)
    return None if layer is None else keras.ops.convert_to_numpy(layer.frequencies)


def set_frequencies(generator: keras.Model, label: np.ndarray) -> None:
    """Lets a generator remember how frequent each class is among these labels, int64 (n,)."""
    layer = _layer(generator)
    layer.frequencies.assign(np.bincount(label, minlength=layer.classes) / len(label))


def _layer(generator):
    return next((layer for layer in generator.layers if isinstance(layer, OneHot)), None)


def classes_of(generator: keras.Model) -> int:
    """Returns how many classes a generator of these networks tells apart; 0: none."""
    layer = _layer(generator)
    return layer.classes if layer else 0


@keras.saving.register_keras_serializable(package="gan_keras")
class OneHot(layers.Layer):
    """Labels (batch,) as rows of zeros with a one: (batch, classes).

    Args:
        classes: Number of classes.

    Attributes:
        frequencies: float32 (classes,) of sum 1, how often each class is drawn where nobody asks
            for one; the same for all, until `set_frequencies`. A weight, which nothing trains,
            so that whoever restores a generator draws what it was trained on.
    """

    def __init__(self, classes, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes

    def build(self, input_shape):
        self.frequencies = self.add_weight(
            name="frequencies",
            shape=(self.classes,),
            dtype="float32",
            initializer=keras.initializers.Constant(1 / self.classes),
            trainable=False,
        )

    def call(self, label):
        return tf.one_hot(label, self.classes, dtype=self.compute_dtype)

    def compute_output_spec(self, label):
        return keras.KerasTensor((*label.shape, self.classes), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


@keras.saving.register_keras_serializable(package="gan_keras")
class Projection(layers.Layer):
    """<e(label), h>: features (batch, n) and labels (batch,) to (batch, 1).

    Args:
        classes: Number of classes, each with an embedding e of n numbers.
        seed: Integer from which the embeddings follow, at first N(0, 1/n).
    """

    def __init__(self, classes, seed, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.seed = seed

    def build(self, input_shape):
        length = input_shape[0][-1]
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.classes, length),
            initializer=keras.initializers.RandomNormal(
                stddev=length**-0.5, seed=WeightSeeds(self.seed, PROJECTION_WEIGHTS)
            ),
        )

    def call(self, inputs):
        features, label = inputs
        # A product, since the gradient of a look-up is sparse, which FusedAdam does not take.
        chosen = tf.matmul(tf.one_hot(label, self.classes, dtype=features.dtype), self.embeddings)
        return tf.reduce_sum(features * chosen, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], 1)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes, "seed": self.seed}
