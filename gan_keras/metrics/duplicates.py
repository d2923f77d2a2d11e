"""Near-duplicates: how many pairs of samples are nearer to each other than real ones ever are.

The share of such pairs among independent samples estimates the chance that two of them show the
same thing. Where a generator makes m pictures, equally often, that chance is 1 / m: this is the
birthday paradox that Arora and Zhang count the support of a generator by.

Reference: Arora and Zhang 2017, https://arxiv.org/abs/1706.08224
"""

import numpy as np
from scipy.spatial.distance import pdist

from gan_keras.metrics import rows

# Of the pairs of real data, those that are held to be near-duplicates: so few that they do not
# matter, so many that a few hundred rows tell the distance. It fits data of any kind, where a
# fraction of the mean distance would not: the pairs of a data set in tight clusters are near.
REAL_SHARE = 0.01


def near(real, share=REAL_SHARE):
    """The distance up to which two samples are near-duplicates.

    Args:
        real: (n, d) float, n >= 2, without copies of a row.
        share: Quantile of the real pairs, in [0, 1].

    Returns:
        Euclidean distance, in units of the data.

    Raises:
        ValueError: the rows are invalid.
    """
    return float(np.quantile(pdist(rows.checked(real, "real", at_least=2)), share))


def share(samples, distance):
    """The share of all pairs of samples that are within that distance.

    Args:
        samples: (n, d) float, n >= 2.
        distance: As `near` returns it.

    Returns:
        Float in [0, 1]; of samples as diverse as the data about `REAL_SHARE`, of copies 1.

    Raises:
        ValueError: the rows are invalid.
    """
    return float(np.mean(pdist(rows.checked(samples, "samples", at_least=2)) <= distance))
