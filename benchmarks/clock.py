"""Deciding when a measurement begins and when it ends."""

import time


class Clock:
    """Counts the steps between the end of the warm-up and the end of the measurement.

    The first call, in which graphs are traced and kernels are chosen, is never counted.

    Args:
        warm_up: Seconds after the first call that are not counted either.
        seconds: Seconds to measure for, at least; the call under way is finished.
        wait: Returns when all work is done that was handed to a device.
        now: Returns the time in seconds.

    Attributes:
        steps: Steps that were counted.
        elapsed: Seconds that they took; 0 until the measurement is over.
    """

    def __init__(self, warm_up, seconds, wait=lambda: None, now=time.perf_counter):
        self.warm_up, self.seconds, self.wait, self.now = warm_up, seconds, wait, now
        self.first = self.began = None
        self.steps, self.elapsed = 0, 0.0

    def tick(self, steps=1):
        """Tells that a call of so many steps is over; returns whether to go on."""
        now = self.now()
        if self.first is None:
            self.first = now
        if self.began is None:
            if now - self.first >= self.warm_up:
                self.wait()
                self.began = self.now()
            return True
        self.steps += steps
        if now - self.began < self.seconds:
            return True
        self.wait()
        self.elapsed = self.now() - self.began
        return False

    def time(self, call):
        """Calls a function without arguments, a step each time, until the time is up."""
        while True:
            call()
            if not self.tick():
                return
