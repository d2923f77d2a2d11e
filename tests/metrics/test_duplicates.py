"""Near-duplicates, against counts of pairs that are known."""

import numpy as np
import pytest

from gan_keras.metrics import duplicates


def test_near_is_the_quantile_of_all_pairs():
    line = np.arange(5.0)[:, None]  # Distances: 1 four times, 2 three times, 3 twice, 4 once.
    assert duplicates.near(line, 0.0) == 1
    assert duplicates.near(line, 0.5) == 2
    assert duplicates.near(line, 1.0) == 4


@pytest.mark.parametrize("pictures", [1, 2, 4, 16])
def test_share_of_m_pictures_made_equally_often(pictures):
    """Of n = 64 samples each picture has n/m: m (n/m)(n/m - 1) / (n (n - 1)) of the pairs."""
    n, each = 64, 64 // pictures
    samples = np.repeat(np.random.default_rng(0).normal(size=(pictures, 30)), each, axis=0)
    expected = pictures * each * (each - 1) / (n * (n - 1))
    assert duplicates.share(samples, 1e-6) == pytest.approx(expected, rel=1e-12)


def test_samples_of_the_data_have_the_share_of_the_data():
    """On a line of uniform points, P(|x - y| <= d) = 2 d - d^2, d the exact quantile.

    Both numbers are U-statistics of degree 2, h = 1{|x - y| <= d}: var <= 4 var(E[h|x]) / n +
    2 p / n^2. E[h|x] is 2 d but within d of an end, where it is down to d: its variance is at most
    2 d d^2, nearly nothing; with d = 0.005, p = 0.01 and n = 256, the deviation is
    sqrt(2 p) / n = 5.5e-4. Five of each, added.
    """
    real, more = np.random.default_rng(1).uniform(size=(2, 256, 1))
    share = duplicates.share(more, duplicates.near(real))
    assert share == pytest.approx(duplicates.REAL_SHARE, abs=2 * 5 * 5.5e-4)


def test_copies_are_all_near_whatever_the_data_are():
    same = np.full((8, 3), 0.1)
    assert duplicates.share(same, duplicates.near(same)) == 1
    assert duplicates.share(same, 0.0) == 1


@pytest.mark.parametrize(
    "samples", [np.full((4, 2), np.nan), np.zeros((1, 2)), np.zeros((4, 2, 2))]
)
def test_no_share_of_what_are_no_rows(samples):
    with pytest.raises(ValueError, match="samples"):
        duplicates.share(samples, 1.0)
