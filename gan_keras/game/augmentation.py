"""Augmentation of what D sees, real and generated alike, so that few images last for longer.

G is not to learn the augmentation: D sees both through it, and its gradient passes back to G.

References:
    DiffAugment: Zhao et al. 2020, https://arxiv.org/abs/2006.10738
    Adaptive probability: Karras et al. 2020, https://arxiv.org/abs/2006.06676
"""

import keras
import tensorflow as tf

TRANSLATION = 1 / 8  # Of the side, at most, in either direction.
CUTOUT = 1 / 2  # Side of the square, as a share of the image's.
NUMBERS = 10  # Uniform ones that an image takes, whatever is done to it.
# Real images in which the probability would go from 0 to 1, if it only rises. Karras et al. take
# 500 thousand, and 100 thousand where a run is short.
RISE = 100_000
# The most that the adaptive probability becomes: where hardly a real image is seen as it is, G
# makes augmented ones (Karras et al., section 2.2).
MOST = 0.8


@keras.saving.register_keras_serializable(package="gan_keras")
class Augmentation(keras.layers.Layer):
    """Changes images by random numbers, each kind of change with a probability.

    Args:
        kinds: Keys of `KINDS`, in any order; none: images stay as they are.
        target: 0: each kind always happens. Above: the probability starts at 0, and follows how
            sure D is of real images (`adapt`), of which E[sign] is kept at this.

    Attributes:
        probability: The adaptive probability, a float32 variable in [0, MOST]; None without target.
    """

    def __init__(self, kinds=(), target=0.0, **kwargs):
        super().__init__(**kwargs)
        self.kinds = tuple(kinds)
        self.target = target
        self.probability = None
        if self.kinds and target:
            self.probability = self.add_weight(
                name="probability",
                shape=(),
                initializer="zeros",
                trainable=False,
                aggregation="only_first_replica",
            )
        self.built = True

    def call(self, images, draw):
        """Augments images.

        Args:
            images: float (batch, height, width, channels).
            draw: Function from a number n to n uniform numbers per image, float32 (batch, n).

        Returns:
            The same shape and dtype.
        """
        if not self.kinds:
            return images
        numbers = draw(NUMBERS)
        first = 0
        for kind, (change, count) in KINDS.items():
            # Each kind has its own numbers, the first of which says whether it happens.
            gate, *uniform = tf.unstack(numbers[:, first : first + 1 + count], axis=1)
            first += 1 + count
            if kind in self.kinds:
                happens = 1.0 if self.probability is None else gate < self.probability.value
                images = change(images, tf.cast(happens, images.dtype), *uniform)
        return images

    def adapt(self, d_real):
        """Moves the probability by one step's answers: up if D is too sure of real images.

        Args:
            d_real: D(x) of this replica's real images, probabilities; of their pairs, where D
                compares.
        """
        if self.probability is None:
            return
        context = tf.distribute.get_replica_context()
        signs = tf.reduce_mean(tf.sign(d_real - 0.5))
        if context.num_replicas_in_sync > 1:
            signs = context.all_reduce(tf.distribute.ReduceOp.MEAN, signs)
        count = tf.cast(tf.shape(d_real)[0] * context.num_replicas_in_sync, tf.float32)
        moved = self.probability.value + tf.sign(signs - self.target) * count / RISE
        self.probability.assign(tf.clip_by_value(moved, 0.0, MOST))

    def get_config(self):
        return {**super().get_config(), "kinds": self.kinds, "target": self.target}


def color(images, happens, brightness, saturation, contrast):
    """Adds up to ±1/2, then multiplies the distance from grey by 0 to 2, and from the mean by
    1/2 to 3/2.

    Args:
        images: float (batch, height, width, channels).
        happens: 1 or 0, (batch,) or (), of the same dtype; 0 leaves an image as it is.
        brightness, saturation, contrast: Uniform in [0, 1), float32 (batch,).
    """
    shift, colour, stretch = (
        _per_image(happens * tf.cast(each, images.dtype))
        for each in (brightness - 0.5, 2 * saturation - 1, contrast - 0.5)
    )
    images += shift
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images += colour * (images - grey)
    return images + stretch * (images - tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True))


def translation(images, happens, down, right):
    """Moves by whole pixels, up to an eighth of the side; what comes in is 0.

    Args:
        images: float (batch, height, width, channels).
        happens: As of `color`.
        down, right: Uniform in [0, 1), float32 (batch,).
    """
    rows, columns = (
        _shift(size, tf.cast(happens, tf.float32), uniform, images.dtype)
        for size, uniform in zip(images.shape[1:3], (down, right), strict=True)
    )
    # Products, since a look-up's gradient adds up in any order on a GPU.
    images = tf.einsum("bij,bjkc->bikc", rows, images)
    return tf.einsum("bkj,bijc->bikc", columns, images)


def cutout(images, happens, down, right):
    """Makes a square of half the side 0, whose centre may be anywhere.

    Args:
        images: float (batch, height, width, channels).
        happens: As of `color`.
        down, right: Uniform in [0, 1), float32 (batch,).
    """
    rows, columns = (
        _covered(size, uniform, images.dtype)
        for size, uniform in zip(images.shape[1:3], (down, right), strict=True)
    )
    hole = rows[:, :, None, None] * columns[:, None, :, None]
    return images * (1 - _per_image(happens) * hole)


# What each kind does, and how many uniform numbers it takes.
KINDS = {"color": (color, 3), "translation": (translation, 2), "cutout": (cutout, 2)}


def _per_image(values):
    return tf.reshape(values, (-1, 1, 1, 1))


def _shift(size, happens, uniform, dtype):
    """Matrices (batch, size, size) that move a vector of `size` by up to an eighth."""
    most = int(size * TRANSLATION + 0.5)
    by = happens * (tf.floor(uniform * (2 * most + 1)) - most)
    sources = tf.range(size)[None] - tf.cast(by, tf.int32)[:, None]
    return tf.one_hot(sources, size, dtype=dtype)


def _covered(size, uniform, dtype):
    """(batch, size) of 1 where an interval of half the size, clipped at the ends, lies."""
    length = int(size * CUTOUT + 0.5)
    start = tf.floor(uniform * (size + 1 - length % 2)) - length // 2
    places = tf.range(size, dtype=tf.float32)[None] - start[:, None]
    return tf.cast((places >= 0) & (places < length), dtype)
