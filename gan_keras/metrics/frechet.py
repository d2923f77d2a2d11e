"""Fréchet distance of two sets of features, each taken for a Gaussian.

References:
    Dowson & Landau 1982, https://doi.org/10.1016/0047-259X(82)90077-X
    Heusel et al. 2017, https://arxiv.org/abs/1706.08500 (on Inception features, the "FID")
"""

import numpy as np
import scipy.linalg

from gan_keras.metrics import rows


def statistics(features, counts=None):
    """Mean and unbiased covariance: C = sum_i (x_i - m)(x_i - m)^T / (n - 1).

    Args:
        features: (n, d) float, n >= 2.
        counts: How often each row counts, (n,) integers >= 0, for resampling; by default once.

    Returns:
        (d,) and (d, d) float64, in feature units and their squares.

    Raises:
        ValueError: the features are invalid, or the counts do not fit them.
    """
    features = rows.checked(features, "features", at_least=2)
    counts = np.ones(len(features)) if counts is None else np.asarray(counts, np.float64)
    if counts.shape != (len(features),) or counts.min() < 0 or counts.sum() < 2:
        raise ValueError(
            f"counts must be one number >= 0 for each of the {len(features)} rows, two in all,"
            f" not {counts.shape} from {counts.min(initial=0)} with the sum {counts.sum()}"
        )
    total = counts.sum()
    mean = counts @ features / total
    centred = features - mean
    return mean, centred.T @ (counts[:, np.newaxis] * centred) / (total - 1)


def distance(mean1, covariance1, mean2, covariance2):
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), the squared distance as FID reports it.

    With C1 = A A^T and C2 = B B^T, the eigenvalues of C1 C2 are the squared singular values of
    A^T B, so that the last trace is their sum. Against `scipy.linalg.sqrtm` of the product this
    is faster, cannot become complex, and needs no small number on the diagonal of a singular
    matrix: directions without variance are left out of A and B.

    Args:
        mean1: (d,) float.
        covariance1: (d, d) float, symmetric, not negative; may be singular.
        mean2: (d,) float.
        covariance2: As `covariance1`.

    Returns:
        Squared feature units, >= 0; lower is better, 0 if both Gaussians are the same.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    mean1, mean2 = np.asarray(mean1, np.float64), np.asarray(mean2, np.float64)
    covariance1 = np.asarray(covariance1, np.float64)
    covariance2 = np.asarray(covariance2, np.float64)
    shapes = [array.shape for array in (mean1, covariance1, mean2, covariance2)]
    if mean1.ndim != 1 or shapes != [mean1.shape, 2 * mean1.shape] * 2:
        raise ValueError(f"means (d,) and covariances (d, d) of one width, not {shapes}")
    root1, root2 = _factor(covariance1), _factor(covariance2)
    fidelity = scipy.linalg.svdvals(root1.T @ root2).sum() if root1.size and root2.size else 0.0
    apart = np.sum((mean1 - mean2) ** 2)
    # Rounding may leave a little less than nothing where the two are the same.
    return float(max(apart + np.trace(covariance1) + np.trace(covariance2) - 2 * fidelity, 0.0))


def frechet_distance(real, generated, real_counts=None, generated_counts=None):
    """`distance` of the `statistics` of two sets of features.

    The estimate is too high by about a constant over the number of rows: compare scores of
    equally many rows only, and take several times more rows than features.

    Args:
        real: (n, d) float features, n >= 2.
        generated: (m, d) float features, m >= 2.
        real_counts: As in `statistics`.
        generated_counts: As in `statistics`.

    Returns:
        Squared feature units, >= 0; lower is better.

    Raises:
        ValueError: the features are invalid.
    """
    real, generated = rows.pair(real, generated, ("real", "generated"), at_least=2)
    return distance(*statistics(real, real_counts), *statistics(generated, generated_counts))


def _factor(covariance):
    """Returns A (d, rank) with A A^T = covariance."""
    values, vectors = scipy.linalg.eigh(covariance)
    # Below this an eigenvalue is rounding, as `numpy.linalg.matrix_rank` has it; its root would
    # be 1e-8 where 0 is right.
    there = values > len(values) * np.finfo(np.float64).eps * values[-1]
    return vectors[:, there] * np.sqrt(values[there])
