"""`stacked_mnist`: three digits of MNIST as the channels of one picture, and so 1,000 modes.

References:
    Metz et al. 2017, https://arxiv.org/abs/1611.02163
    Srivastava et al. 2017 (VEEGAN), https://arxiv.org/abs/1705.07761
"""

import numpy as np

from gan_keras.config import best_score
from gan_keras.config.random_streams import STACKS
from gan_keras.data.source import Source
from gan_keras.errors import UsageError

NAME = best_score.STACKED
DIGITS = "mnist"  # What is stacked.
CLASSES = [f"{number:03}" for number in range(1000)]  # The digits of red, green and blue.
# As many training images as Lin et al. 2018 (PacGAN, https://arxiv.org/abs/1712.04086) draw.
STACKED, STACKED_TEST = 128_000, 26_000
CHUNK = 4096  # Pictures that are put together at a time.


def source(size, channels, read, test=False):
    """Returns the stacks, which are the same in every run.

    Args:
        size: Height and width of the images.
        channels: 3; there is no other stack.
        read: Function that returns MNIST's Source of the same split, in grey.
        test: Whether they are made of the split `test`.

    Raises:
        UsageError: other channels.
    """
    if channels != 3:
        raise UsageError(
            f"--channels={channels}: {NAME} has a digit in each of 3; choose --channels=3"
        )
    digits = read()
    count = STACKED_TEST if test else STACKED

    def chunks():
        pixels = np.concatenate([part for _, part in digits.chunks()])
        chosen = numbers(len(pixels), count, test)
        for first in range(0, count, CHUNK):
            stacks = pixels[chosen[first : first + CHUNK], :, :, 0]
            yield len(stacks), np.ascontiguousarray(np.moveaxis(stacks, 1, -1))

    def labels():
        of_digits = digits.labels()
        return of_digits[numbers(len(of_digits), count, test)] @ np.array([100, 10, 1])

    return Source(
        name=NAME,
        size=size,
        channels=channels,
        most=count,
        chunks=chunks,
        skipped=digits.skipped,
        identity=f"{count} stacks of {digits.identity}",
        slow=False,
        labels=labels,
        class_names=CLASSES,
    )


def numbers(digits, count, test=False):
    """Returns which digits each stack is made of: int64 (count, 3) in [0, digits)."""
    return np.random.default_rng([STACKS, int(test)]).integers(digits, size=(count, 3))
