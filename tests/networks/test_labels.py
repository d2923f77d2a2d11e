"""Labels in the networks: how much they count for at the start."""

import keras
import numpy as np
import pytest

from gan_keras import networks
from tests.networks.test_networks import IMAGE_NETWORKS

LATENTS, CLASSES, WIDTH = 16, 10, 64


@pytest.mark.parametrize("network", IMAGE_NETWORKS)
def test_labels_and_latents_have_equal_shares_in_the_first_layer(network):
    """Of normal latents the sum w.z has the variance |w|^2; of a label it is one weight."""
    generator, _ = networks.build(
        network, shape=(16, 16, 1), latent_dim=LATENTS, width=WIDTH, seed=0, classes=CLASSES
    )
    first = next(layer for layer in generator.layers if isinstance(layer, keras.layers.Dense))
    weights = np.asarray(first.kernel, np.float64)
    of_latents = np.mean(np.sum(weights[:LATENTS] ** 2, axis=0))
    of_label = np.mean(weights[LATENTS:] ** 2)
    # A mean of m squares of normal numbers has a relative deviation of sqrt(2 / m), of uniform ones
    # a smaller one.
    units = weights.shape[1]
    deviation = np.sqrt(2 / (LATENTS * units) + 2 / (CLASSES * units))
    assert abs(of_label / of_latents - 1) < 5 * deviation < 0.5
