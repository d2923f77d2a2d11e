"""From one latent vector to another, in equal steps. No TensorFlow."""

import numpy as np

# Sine of the angle below which two vectors have one direction, or opposite ones, as far as
# float32 tells: there is no arc between them then.
LEAST_SINE = 1e-4


def slerp(first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Spherical linear interpolation: points of the arc between two vectors, both ends included.

        z(t) = (sin((1 - t) w) first + sin(t w) last) / sin(w),  w the angle between the two

    A straight line would pass nearer to the origin than latents of a prior in many dimensions
    lie, where G has seen none: their norm hardly varies. Vectors of one direction, or of opposite
    ones, are joined by the straight line.

    Args:
        first: (latent_dim,) float.
        last: (latent_dim,) float.
        count: Points, >= 2.

    Returns:
        (count, latent_dim) float32.

    Reference: Shoemake 1985; of latents White 2016, https://arxiv.org/abs/1609.04468
    """
    first, last = np.asarray(first, np.float64), np.asarray(last, np.float64)
    t = np.linspace(0, 1, count)[:, np.newaxis]
    norms = np.linalg.norm(first) * np.linalg.norm(last)
    cosine = np.clip(first @ last / norms, -1, 1) if norms else 1.0
    angle = np.arccos(cosine)
    if np.sin(angle) < LEAST_SINE:
        return ((1 - t) * first + t * last).astype(np.float32)
    points = np.sin((1 - t) * angle) * first + np.sin(t * angle) * last
    return (points / np.sin(angle)).astype(np.float32)
