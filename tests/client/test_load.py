"""What `gan-keras-sample --bench` measures."""

import threading

import pytest

from gan_keras.client import load


class Clock:
    """Seconds that pass while somebody asks."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_one_client_of_known_latencies():
    clock, cpu, asked = Clock(), Clock(), []

    def ask(number):
        asked.append(number)
        clock.now += 0.25
        cpu.now += 0.125

    seen = load.measure([ask], seconds=4.0, warm_up=1.0, now=clock, cpu=cpu)
    # From 0.25 on the time runs; what ends from 1.25 to 5.25, that moment excluded, counts.
    assert seen.requests == 16
    assert seen.percentiles == {50: 250, 90: 250, 99: 250}
    assert seen.busy == 0.5
    assert asked == list(range(21))


def test_all_clients_ask():
    clock, lock, asked = Clock(), threading.Lock(), set()

    def asking(client):
        def ask(number):
            with lock:
                asked.add(client)
                clock.now += 0.01

        return ask

    seen = load.measure([asking(i) for i in range(5)], seconds=1.0, warm_up=0.0, now=clock)
    assert asked == set(range(5))
    assert 90 <= seen.requests <= 110


def test_the_first_failure_ends_all():
    def fails(number):
        raise RuntimeError("no server")

    with pytest.raises(RuntimeError, match="no server"):
        load.measure([fails, lambda number: None], seconds=3600.0)


def test_nothing_answered_in_time():
    clock = Clock()

    def ask(number):
        clock.now += 10.0

    with pytest.raises(ValueError, match="no request was answered within 1 s"):
        load.measure([ask], seconds=1.0, warm_up=0.0, now=clock)
