"""StepsPerCall: every boundary is met exactly, and training ends where it should."""

import time
from types import SimpleNamespace

import pytest

from gan_keras.training.callbacks import steps_per_call as pace


def play(start, steps, intervals, stop=lambda: False, adaptive=False):
    """Plays fit's part; returns the steps at which calls ended."""
    model = SimpleNamespace(step=start, steps_per_execution=1, stop_training=False)
    callback = pace.StepsPerCall(steps, intervals, stop, adaptive)
    callback.set_model(model)
    ends = []
    while not model.stop_training:
        callback.on_train_batch_begin(0)
        assert 1 <= model.steps_per_execution <= pace.MOST_STEPS
        model.step += model.steps_per_execution
        ends.append(model.step)
        callback.on_train_batch_end(0)
    return ends


@pytest.mark.parametrize("start", [0, 1, 37, 99])
@pytest.mark.parametrize("intervals", [(50, 70, 90), (1, 1, 1), (1000, 1000, 1000), (7, 64, 3)])
def test_calls_end_at_every_multiple_and_at_the_end(start, intervals):
    ends = play(start, 301, intervals)
    due = {s for every in intervals for s in range(start + 1, 302) if s % every == 0}
    assert due <= set(ends)
    assert ends[-1] == 301


def test_a_stop_ends_after_the_call_in_progress():
    heard = iter([False, True])
    assert play(0, 1000, (10,), stop=lambda: next(heard)) == [10, 20]


def test_slow_steps_make_short_calls(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    model = SimpleNamespace(step=0, steps_per_execution=1, stop_training=False)
    callback = pace.StepsPerCall(100, (100,), lambda: False)
    callback.set_model(model)
    sizes = []
    for seconds_per_step in (9.0, 0.25, 0.25, 3.0, 0.001, 0.001):
        callback.on_train_batch_begin(0)
        sizes.append(model.steps_per_execution)
        now[0] += seconds_per_step * model.steps_per_execution
        model.step += model.steps_per_execution
        callback.on_train_batch_end(0)
    # The first call, which traces, says nothing; then as many as fit into a second.
    assert sizes == [1, 1, 4, 4, 1, 32]
