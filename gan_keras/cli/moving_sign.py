"""A sign on a terminal that a command is at work, where seconds pass without a line."""

import contextlib
import itertools
import os
import threading

MARKS = "|/-\\"
PAUSE = 0.2  # Seconds between two of them.


@contextlib.contextmanager
def moving_sign(descriptor=2, pause=PAUSE):
    """Shows a mark that turns at the start of the line, on a terminal; elsewhere nothing.

    Each mark is followed by a carriage return, so that a line that is printed meanwhile begins
    where it should.

    Args:
        descriptor: Of the file to write to, by default that of standard error.
        pause: Seconds between two marks.
    """
    if not os.isatty(descriptor):
        yield
        return
    over = threading.Event()

    def turn():
        with contextlib.suppress(OSError):  # The terminal has gone.
            for mark in itertools.cycle(MARKS):
                if over.wait(pause):
                    break
                os.write(descriptor, f"{mark}\r".encode())
            os.write(descriptor, b" \r")

    thread = threading.Thread(target=turn, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
