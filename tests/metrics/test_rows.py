"""What the scores refuse."""

import numpy as np
import pytest

from gan_keras.metrics import rows


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_float_becomes_float64(dtype):
    checked = rows.checked(np.array([[0.5, 2.0]], dtype), "features")
    assert checked.dtype == np.float64
    assert checked.tolist() == [[0.5, 2.0]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 3), np.uint8), r"features must be float .* not uint8 \(4, 3\)"),
        (np.zeros((4, 3), np.int64), "not int64"),
        (np.zeros((4, 3), np.complex128), "not complex128"),
        (np.zeros(4), r"not float64 \(4,\)"),
        (np.zeros((4, 2, 2, 1)), r"not float64 \(4, 2, 2, 1\)"),
        (np.zeros((4, 0)), r"not float64 \(4, 0\)"),
        (np.zeros((1, 3)), "features must have at least 2 rows, not 1"),
        (np.array([[0.0, np.nan], [1, 1], [np.inf, 0]]), "NaN or infinity in 2 of 3 rows"),
    ],
)
def test_what_is_no_set_of_rows(array, message):
    with pytest.raises(ValueError, match=message):
        rows.checked(array, "features", at_least=2)


def test_a_pair_has_one_width():
    one, other = rows.pair(np.zeros((2, 3)), np.ones((5, 3)), ("real", "generated"))
    assert (one.shape, other.shape) == ((2, 3), (5, 3))
    with pytest.raises(ValueError, match="real and generated must be equally wide, not 3 and 4"):
        rows.pair(np.zeros((2, 3)), np.zeros((2, 4)), ("real", "generated"))
    with pytest.raises(ValueError, match="generated must have at least 2 rows"):
        rows.pair(np.zeros((2, 3)), np.zeros((1, 3)), ("real", "generated"), at_least=2)
