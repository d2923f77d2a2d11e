"""The priors: their moments within bounds that follow from the sample's size, and their seeds."""

import numpy as np
import pytest

from gan_keras.game.priors import PRIORS

COUNT = 200_000


@pytest.mark.parametrize(
    ("name", "variance", "fourth"), [("normal", 1, 3), ("uniform", 1 / 3, 1 / 5)]
)
def test_mean_and_variance(name, variance, fourth):
    draws = PRIORS[name]((COUNT,), seed=[1, 2]).numpy().astype("float64")
    # Five standard errors of the sample mean, and of the sample variance.
    assert abs(draws.mean()) < 5 * np.sqrt(variance / COUNT)
    assert abs(draws.var() - variance) < 5 * np.sqrt((fourth - variance**2) / COUNT)


def test_uniform_is_within_its_range():
    draws = PRIORS["uniform"]((COUNT,), seed=[1, 2]).numpy()
    assert draws.min() >= -1
    assert draws.max() < 1


@pytest.mark.parametrize("name", PRIORS)
def test_a_seed_is_a_draw(name):
    draw = [PRIORS[name]((4, 3), seed=seed).numpy() for seed in ([1, 2], [1, 2], [1, 3], [2, 2])]
    assert draw[0].dtype == np.float32
    np.testing.assert_array_equal(draw[0], draw[1])
    assert not np.any(draw[0] == draw[2])
    assert not np.any(draw[0] == draw[3])
