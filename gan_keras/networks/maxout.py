"""The networks of the paper's MNIST experiment: rectifiers against maxout and dropout.

Reference: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, and the authors'
`mnist.yaml` at https://github.com/goodfeli/adversarial
"""

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from gan_keras.config.random_streams import DISCRIMINATOR_WEIGHTS, GENERATOR_WEIGHTS, dropout
from gan_keras.networks import labels
from gan_keras.networks.initial_weights import WeightSeeds

GENERATOR_RANGE, DISCRIMINATOR_RANGE = 0.05, 0.005  # Initial weights are uniform in +- these.
PIECES = 5
KEPT_OF_INPUT, KEPT_OF_HIDDEN = 0.8, 0.5
# No bias is infinite where a pixel never changes.
LEAST_MARGINAL = 1e-7
PIXELS = "pixels"  # Name of the generator's output layer.


def generator(
    shape: Sequence[int], latent_dim: int, width: int, seed: int, classes: int = 0
) -> keras.Model:
    """latent_dim -> width -> width -> pixels, rectifiers between, a sigmoid at the end.

    The sigmoid's [0, 1] is stretched to the [-1, 1] that images have here.

    Args:
        shape: (height, width, channels) of the images.
        latent_dim: Length of a latent vector.
        width: Units of the hidden layers; the paper's is 1200.
        seed: Integer from which the initial weights follow.
        classes: Number of classes, whose labels are a second input; 0: none.

    Returns:
        Model from float (batch, latent_dim), with labels int64 (batch,) if there are classes, to
        float32 (batch, height, width, channels).
    """
    draw = WeightSeeds(seed, GENERATOR_WEIGHTS)
    inputs, x = labels.inputs(latent_dim, classes)
    for _ in range(2):
        x = layers.Dense(width, "relu", kernel_initializer=_initializer(GENERATOR_RANGE, draw))(x)
    x = layers.Dense(
        math.prod(shape), kernel_initializer=_initializer(GENERATOR_RANGE, draw), name=PIXELS
    )(x)
    # Under a mixed precision policy the pixels are float32 all the same.
    x = layers.Activation("sigmoid", dtype="float32")(x)
    x = layers.Rescaling(2.0, offset=-1.0, dtype="float32")(x)
    images = layers.Reshape(shape, dtype="float32")(x)
    return keras.Model(inputs, images, name="generator")


def start_from(generator: keras.Model, mean_image: np.ndarray) -> None:
    """Sets the bias of the output to the inverse sigmoid of the data's mean.

    Args:
        generator: A generator of this module.
        mean_image: (height, width, channels) in [-1, 1].
    """
    marginal = np.clip((mean_image.ravel() + 1) / 2, LEAST_MARGINAL, 1 - LEAST_MARGINAL)
    generator.get_layer(PIXELS).bias.assign(np.log(marginal / (1 - marginal)))


def discriminator(shape: Sequence[int], width: int, seed: int) -> keras.Model:
    """Pixels in [0, 1] -> two maxout layers with dropout before each -> dropout -> one logit.

    Args:
        shape: (height, width, channels) of the images.
        width: Five times the units of a maxout layer: the paper's 1200 are 240 of 5 pieces.
        seed: Integer from which the initial weights and the dropout follow.

    Returns:
        Model from float (batch, height, width, channels) in [-1, 1] to float32 logits (batch, 1).
    """
    draw = WeightSeeds(seed, DISCRIMINATOR_WEIGHTS)
    images = keras.Input(shape, name="images")
    x = layers.Rescaling(0.5, offset=0.5)(layers.Flatten()(images))
    kept = KEPT_OF_INPUT
    for i in range(2):
        x = RowDropout(1 - kept, seed=dropout(seed, i))(x)
        x = Maxout(max(1, width // PIECES), PIECES, _initializer(DISCRIMINATOR_RANGE, draw))(x)
        kept = KEPT_OF_HIDDEN
    x = RowDropout(1 - kept, seed=dropout(seed, 2))(x)
    logits = layers.Dense(
        1, dtype="float32", kernel_initializer=_initializer(DISCRIMINATOR_RANGE, draw)
    )(x)
    return keras.Model(images, logits, name="discriminator")


@keras.saving.register_keras_serializable(package="gan_keras")
class Maxout(layers.Layer):
    """The largest of several affine functions: max_j (x W_j + b_j).

    Args:
        units: Length of the output.
        pieces: Functions per unit, j = 1 ... pieces.
        kernel_initializer: Of all W_j; biases start at 0.

    Reference: Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389
    """

    def __init__(self, units, pieces, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.pieces = pieces
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        # One product for all pieces, which stand one after the other in its columns.
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.pieces * self.units),
            initializer=self.kernel_initializer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.pieces * self.units,), initializer="zeros"
        )

    def call(self, inputs):
        affine = ops.matmul(inputs, self.kernel) + self.bias
        return ops.max(ops.reshape(affine, (-1, self.pieces, self.units)), axis=1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="gan_keras")
class RowDropout(layers.Layer):
    """Dropout whose mask for row i of the global batch is the same on any number of devices.

    Keras' own gives every replica the same mask, and keeps its random state out of checkpoints.
    Here the masks follow from the seed and a count of draws, which is a weight like any other.

    Args:
        rate: Share of the inputs that become 0; the others are divided by 1 - rate.
        seed: Integer from which all masks follow, apart from other random numbers as of
            `random_streams.dropout`.
    """

    def __init__(self, rate, seed, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed

    def build(self, input_shape):
        self.draws = self.add_weight(
            name="draws",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def call(self, inputs, training=False):
        if not training:
            return inputs
        context = tf.distribute.get_replica_context()
        count = tf.shape(inputs)[0]
        # Bits, of an algorithm by its name: XLA draws other numbers, but these bits it has, too.
        # Their lower 23 are those of a U[0, 1) of float32, and the comparison is the same.
        bits = tf.random.stateless_uniform(
            (count * context.num_replicas_in_sync, inputs.shape[-1]),
            seed=[self.seed, tf.identity(self.draws.value)],
            minval=None,
            maxval=None,
            dtype=tf.int32,
            alg="philox",
        )
        self.draws.assign_add(1)
        mine = bits[context.replica_id_in_sync_group * count :][:count]
        is_kept = tf.bitwise.bitwise_and(mine, 2**23 - 1) >= math.ceil(self.rate * 2**23)
        return tf.where(is_kept, inputs / (1 - self.rate), 0)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def _initializer(bound, draw):
    return keras.initializers.RandomUniform(-bound, bound, seed=draw)
