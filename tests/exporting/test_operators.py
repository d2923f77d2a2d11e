"""Where the benchmarks look inside a step: profiles by operator, convolutions in two ways."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks import convolutions, operators


def test_a_profile_is_summed_by_kind(tmp_path):
    """Against matrix products whose number is known, of which only those in a loop count."""
    tf = pytest.importorskip("tensorflow")

    @tf.function
    def loop(matrix):
        for _ in tf.range(5):
            matrix = tf.linalg.matmul(matrix, matrix) / 32.0
        return tf.sort(matrix)

    loop(tf.ones((32, 32)))
    with tf.profiler.experimental.Profile(str(tmp_path)):
        loop(tf.ones((32, 32)))
    seconds = operators.times(next(tmp_path.glob("**/*.xplane.pb")))
    assert any("MatMul" in kind for kind in seconds)
    assert not any("Sort" in kind or "TopK" in kind for kind in seconds)
    assert all(each > 0 for each in seconds.values())


def test_kinds_are_shown_by_their_share():
    seconds = Counter({"Conv2D": 6.0, "MatMul": 3.0, "Add": 0.75, "Mul": 0.25})
    text = operators.describe(seconds, 6.0, rows=2, cores=2)
    assert "| Conv2D     | 60.0% |" in text
    assert "| all others | 10.0% |" in text
    assert "Of 10.00 s in operators within 6.00 s of training on 2 cores" in text


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_both_ways_to_a_convolution_are_one_function(dtype):
    cases = list(convolutions.cases(2, dtype))
    assert len(cases) == len(convolutions.DOUBLING) + len(convolutions.KERNELS)
    for name, library, own, _ in cases:
        expected, given = (np.asarray(call(), np.float64) for call in (library, own))
        # Sums of products of both signs: their roundings stay far below the largest of them.
        roundings = 2**-7 if dtype == "bfloat16" else 2**-18
        limit = roundings * np.abs(expected).max()
        assert_allclose(given, expected, rtol=0, atol=limit, err_msg=name)


def test_a_call_is_timed_without_its_first():
    calls = []
    assert convolutions.milliseconds(lambda: calls.append(None), 0) > 0
    assert len(calls) == 2
