"""SIGINT and SIGTERM: a run saves and stops."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def caught():
    """Collects SIGINT and SIGTERM in a list; the second one acts as if nothing caught it."""
    numbers = []
    if threading.current_thread() is not threading.main_thread():
        yield numbers  # Python delivers signals to the main thread only.
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def release():
        for number, handler in before.items():
            signal.signal(number, handler)

    def catch(number, frame):
        numbers.append(number)
        release()

    for number in before:
        signal.signal(number, catch)
    try:
        yield numbers
    finally:
        release()
