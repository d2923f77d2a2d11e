"""The model of the all-reduce against a ring that is walked, and the benchmark's parts."""

import json

import pytest
from numpy.testing import assert_allclose

from benchmarks import allreduce, scale
from benchmarks.allreduce import Link
from gan_keras.errors import UsageError


def walked(size, workers, link):
    """Each worker passes a part on to its neighbour until all have the sum of all parts."""
    # What of each part's sum a worker has: everybody's own share first.
    have = [[{rank} for _ in range(workers)] for rank in range(workers)]
    everybody, seconds = set(range(workers)), 0.0
    for turn in range(10 * workers):
        if all(part == everybody for parts in have for part in parts):
            return seconds
        sent = [(rank, (rank - turn) % workers) for rank in range(workers)]
        passed = [(rank, part, set(have[rank][part])) for rank, part in sent]
        for rank, part, content in passed:
            have[(rank + 1) % workers][part] |= content
        seconds += size / workers / link.bandwidth + link.latency
    raise AssertionError("the sums never arrive")


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_the_formula_is_the_walk_around_the_ring(workers):
    link = Link(bandwidth=3.0, latency=0.5)
    assert_allclose(allreduce.seconds(24.0, workers, link), walked(24.0, workers, link))


def test_each_reduction_pays_for_its_latency_and_bytes_only_once():
    link = Link(bandwidth=2.0, latency=0.25)
    one, four = (allreduce.seconds(8.0, 3, link, n) for n in (1, 4))
    assert_allclose(four - one, 3 * 4 * 0.25)


def test_efficiency_by_hand():
    # 2 workers: two passes of half of 4 bytes at 1 byte/s, without latency.
    assert allreduce.efficiency(4.0, 4.0, 2, Link(1.0, 0.0)) == 0.5
    assert allreduce.efficiency(4.0, 4.0, 1, Link(1.0, 9.0)) == 1.0


def test_bytes_are_four_per_weight_and_update():
    assert allreduce.bytes_per_step(10, 3) == 52
    assert allreduce.bytes_per_step(10, 3, discriminator_steps=5) == 100


def test_the_bytes_are_those_of_the_mnist_preset():
    """Radford et al. 2015 in small; biases where no normalisation follows."""
    generator = 100 * 6272 + 2 * 128 + 16 * 128 * 64 + 2 * 64 + 16 * 64 + 1
    discriminator = 16 * 64 + 64 + 16 * 64 * 128 + 2 * 128 + 6272 + 1
    assert scale.trainable() == {"generator": generator, "discriminator": discriminator}


def test_a_worker_s_environment_names_it_and_all_others():
    assert scale.environments(1) == [{}]
    tasks = [json.loads(each["TF_CONFIG"]) for each in scale.environments(3)]
    assert [task["task"] for task in tasks] == [{"type": "worker", "index": i} for i in range(3)]
    (addresses,) = {tuple(task["cluster"]["worker"]) for task in tasks}
    assert len(set(addresses)) == 3


@pytest.mark.parametrize("texts", [["0"], ["3"], ["1", "x"], ["-1"], []])
def test_workers_that_cannot_share_the_batch_are_refused(texts):
    with pytest.raises(UsageError, match=r"^--workers="):
        scale.check_workers(texts)


def test_the_report_has_medians_ratios_and_the_model():
    benchmark = object.__new__(scale.Scale)
    benchmark.names = ["1", "2"]
    benchmark.weights, benchmark.size = {"generator": 1000, "discriminator": 500}, 6000
    seconds = [(0.1, 0.2), (0.1, 0.3), (0.2, 0.2)]
    rounds = [
        {name: {"milliseconds": 1e3 * each} for name, each in zip("12", row, strict=True)}
        for row in seconds
    ]
    text = benchmark.table(rounds)
    assert "100.0 (100.0–200.0)" in text
    assert "2.00 (1.00–3.00)" in text
    assert "4 bytes x (1,000 + 500 weights) = 0.01 MB" in text
    assert scale.paper(6000) in text
