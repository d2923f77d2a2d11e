"""Signals that stop a run, one at a time and together."""

import os
import signal
import subprocess
import sys

import pytest

from gan_keras.training import signals


@pytest.mark.parametrize("number", signals.CAUGHT)
def test_one_is_collected_and_handlers_come_back(number):
    before = [signal.getsignal(one) for one in signals.CAUGHT]
    with signals.caught() as numbers:
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_BLOCK, [])  # Python looks for signals here.
        assert numbers == [number]
    assert [signal.getsignal(one) for one in signals.CAUGHT] == before


def test_what_is_ignored_stays_so():
    """As SIGHUP is under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.caught() as numbers:
            signal.raise_signal(signal.SIGHUP)
        assert numbers == []
    finally:
        signal.signal(signal.SIGHUP, before)


def run(body):
    # The module alone: TensorFlow, which the package's face imports, would have its own say.
    code = (
        "import importlib.util, os, signal\n"
        f"spec = importlib.util.spec_from_file_location('signals', {signals.__file__!r})\n"
        "signals = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(signals)\n"
        f"{body}"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("order", [("SIGINT", "SIGTERM"), ("SIGTERM", "SIGINT")])
def test_several_at_the_same_time_are_one_wish_and_no_complaint(order):
    """Both are pending when Python calls the first handler: the C function shows them at once."""
    first, second = order
    done = run(
        "with signals.caught() as numbers:\n"
        f"    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.{first}, signal.{second}])\n"
        f"    os.kill(os.getpid(), signal.{first})\n"
        f"    os.kill(os.getpid(), signal.{second})\n"
        f"    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.{first}, signal.{second}])\n"
        "print(sorted(numbers) == [2, 15])"
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", -15), ("SIGHUP", -1), ("SIGINT", 7)])
def test_the_second_of_a_kind_acts_at_once(name, status):
    done = run(
        "with signals.caught() as numbers:\n"
        "    try:\n"
        f"        signal.raise_signal(signal.{name})\n"
        f"        signal.raise_signal(signal.{name})\n"
        "    except KeyboardInterrupt:\n"
        "        os._exit(7)\n"
    )
    assert (done.returncode, done.stderr) == (status, "")
