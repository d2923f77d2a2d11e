"""Calls at the same time, in order; requests that are sent again, and when not."""

import threading

import numpy as np
import pytest

from gan_keras.client import refusals, transport
from gan_keras.client.in_flight import ordered
from gan_keras.client.transport import Busy, Transport
from gan_keras.errors import UserError

PATIENCE = 20  # seconds; reached only where a test fails


@pytest.mark.parametrize(("items", "most", "together"), [(8, 4, 4), (3, 4, 3), (1, 4, 1)])
def test_so_many_are_under_way_at_a_time(items, most, together):
    """Each waits for the others: with fewer at a time none would end."""
    barrier, running, seen, lock = threading.Barrier(together), [0], [], threading.Lock()

    def call(item):
        with lock:
            running[0] += 1
            seen.append(running[0])
        if item < together:
            barrier.wait(PATIENCE)
        with lock:
            running[0] -= 1
        return -item

    assert list(ordered(call, range(items), most)) == [-item for item in range(items)]
    assert together <= max(seen) <= most


def test_results_keep_the_order_however_they_come():
    second = threading.Event()

    def call(item):
        if item == 0:
            assert second.wait(PATIENCE)
        else:
            second.set()
        return item

    assert list(ordered(call, [0, 1], 2)) == [0, 1]


def test_the_first_failure_ends_all():
    asked = []

    def call(item):
        asked.append(item)
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item"):
        list(ordered(call, range(100), 2))
    for thread in threading.enumerate():
        if thread.name == "in flight":
            thread.join(PATIENCE)
    assert len(asked) <= 2


def test_one_at_a_time_is_the_callers_thread():
    threads = list(ordered(lambda _: threading.current_thread(), range(3), 1))
    assert set(threads) == {threading.current_thread()}


class Scripted(Transport):
    """Sends nothing: it answers, or refuses, as it is told."""

    where = "here"

    def __init__(self, *failures):
        self.failures, self.sent = list(failures), 0

    def _encode(self, signature, inputs, output):
        return b"four"

    def _send(self, body, signature, end):
        self.sent += 1
        if self.failures:
            raise self.failures.pop(0)
        return b"answer"

    def _decode(self, data, output):
        return data


INPUTS = {"seed": np.zeros(3, np.int64)}


@pytest.fixture
def clock(monkeypatch):
    """A clock that only pauses move; the list of pauses."""
    now, pauses = [100.0], []

    def sleep(seconds):
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(transport.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(transport.time, "sleep", sleep)
    return pauses


def busy(pause=0.0):
    return Busy(UserError("full"), pause)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_pauses_double_and_are_drawn_between_half_and_all(clock, monkeypatch, share):
    draws = []
    monkeypatch.setattr(
        transport._jitter, "uniform", lambda low, high: draws.append((low, high)) or share
    )
    sending = Scripted(busy(), busy(), busy())
    assert sending.predict("png", INPUTS, "png_bytes", 200.0) == b"answer"
    assert clock == pytest.approx([0.1 * share, 0.2 * share, 0.4 * share])
    assert set(draws) == {(0.5, 1.0)}


@pytest.mark.parametrize(("asked", "waited"), [(1.5, 1.5), (3600.0, 2.0)])
def test_the_server_may_ask_for_a_longer_pause(clock, asked, waited):
    assert Scripted(busy(asked)).predict("png", INPUTS, "png_bytes", 200.0) == b"answer"
    assert clock == [waited]


def test_nobody_waits_beyond_the_deadline(clock):
    """Where the pause would end after it, the server's words come at once."""
    sending = Scripted(busy(), busy(1.0), busy())
    with pytest.raises(UserError, match="full"):
        sending.predict("png", INPUTS, "png_bytes", 100.9)
    assert sending.sent == 2
    assert sum(clock) <= 0.1


def test_what_is_not_busy_is_final(clock):
    sending = Scripted(refusals.too_slow("here", 1.0))
    with pytest.raises(UserError, match="no answer within 1 s"):
        sending.predict("png", INPUTS, "png_bytes", 200.0)
    assert (sending.sent, clock) == (1, [])


def test_bytes_and_latency_are_reported(clock, caplog):
    caplog.set_level("DEBUG", logger="gan_keras.client")
    Scripted(busy()).predict("png", INPUTS, "png_bytes", 200.0)
    again, sent = caplog.messages
    assert again.startswith("here: again in ")
    assert again.endswith(" ms: full")
    assert sent.startswith("here: `png` of 3 rows: 4 bytes sent, 6 bytes received, ")
    assert sent.endswith(" ms, attempt 2")
