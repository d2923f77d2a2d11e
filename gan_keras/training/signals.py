"""SIGINT, SIGTERM and SIGHUP: a run saves and stops."""

import contextlib
import signal
import threading

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def caught():
    """Collects these signals in a list; the second of a kind acts as if nothing caught it.

    Those that are ignored stay so, as SIGHUP under `nohup`.
    """
    numbers = []
    if threading.current_thread() is not threading.main_thread():
        yield numbers  # Python delivers signals to the main thread only.
        return
    before = {number: signal.getsignal(number) for number in CAUGHT}
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}

    def catch(number, frame):
        # Of several that came together Python calls one handler after the other, and complains
        # of those whose handler is gone by then: each takes away its own only.
        if number in numbers:
            signal.signal(number, before[number])
            signal.raise_signal(number)
        numbers.append(number)

    for number in before:
        signal.signal(number, catch)
    try:
        yield numbers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
