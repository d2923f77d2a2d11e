"""Kernel distance (KID): the squared maximum mean discrepancy under a polynomial kernel.

Reference: Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401
"""

import numpy as np

from gan_keras.config import random_streams
from gan_keras.metrics import distances, rows

BLOCK = 1000  # The subset size of Bińkowski et al. 2018's code


def kernel_distance(real, generated):
    """MMD^2 = E[k(x, x')] + E[k(y, y')] - 2 E[k(x, y)], with k(x, y) = (x.y/d + 1)^3.

    The means run over pairs of different rows, which makes the estimate unbiased at any number
    of rows. Memory stays bounded; time is that of three matrix products of all pairs.

    Args:
        real: (n, d) float features, n >= 2.
        generated: (m, d) float features, m >= 2.

    Returns:
        The kernel's units (none, if features have none); lower is better. The true value is
        >= 0, and 0 if the distributions agree in their first three moments; the estimate
        is then below 0 about as often as above.

    Raises:
        ValueError: the features are invalid.
    """
    real, generated = rows.pair(real, generated, ("real", "generated"), at_least=2)
    across = _kernel_sum(real, generated) / (len(real) * len(generated))
    return _mean_of_pairs(real) + _mean_of_pairs(generated) - 2 * across


def block_estimates(real, generated, seed=0, block=BLOCK):
    """`kernel_distance` of disjoint random blocks: independent estimates of one number.

    Both sets are shuffled and cut into blocks; block i of one meets block i of the other, and
    what is left over is not used. The score is the mean, and `bootstrap.mean_interval` gives
    its interval. The paper's code draws subsets that overlap instead; what shares rows looks
    surer than it is.

    Args:
        real: (n, d) float features, n >= 2 `block`.
        generated: (m, d) float features, m >= 2 `block`.
        seed: Integer that the shuffling follows from.
        block: Rows in a block, >= 2.

    Returns:
        (min(n, m) // block,) float64, each as of `kernel_distance`.

    Raises:
        ValueError: the features are invalid, or too few for two blocks.
    """
    if block < 2:
        raise ValueError(f"block must be at least 2, not {block}")
    real, generated = rows.pair(real, generated, ("real", "generated"), at_least=2 * block)
    generator = np.random.default_rng([random_streams.BLOCKS, seed])
    real_order = generator.permutation(len(real))
    generated_order = generator.permutation(len(generated))
    count = min(len(real), len(generated)) // block
    parts = [slice(i * block, (i + 1) * block) for i in range(count)]
    return np.array(
        [kernel_distance(real[real_order[p]], generated[generated_order[p]]) for p in parts]
    )


def _mean_of_pairs(x):
    """Mean of k over all pairs of different rows."""
    itself = _kernel(np.einsum("ij,ij->i", x, x), x.shape[1]).sum()
    return (_kernel_sum(x, x) - itself) / (len(x) * (len(x) - 1))


def _kernel_sum(x, y):
    """Sum of k over all pairs of a row of x and a row of y."""
    parts = distances.slices(len(x), len(y) * y.itemsize)
    return sum(_kernel(x[part] @ y.T, x.shape[1]).sum() for part in parts)


def _kernel(products, width):
    base = products / width + 1
    return base * base * base  # `**` calls pow, which takes many times as long
