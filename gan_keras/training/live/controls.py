"""What the training and the readers of the live page share: the buttons and the newest frame.

The training never waits for a reader: it leaves a frame, at most ten a second and only while
somebody asks for one, and whoever is slow finds the newest. The one thing that it waits for is the
end of a pause.
"""

import json
import threading
import time

FRAME_SECONDS = 0.1
PAUSE_SECONDS = 0.2  # between two looks at what else may end a pause, as a signal
LINGER_SECONDS = 1.0  # for the last frame to be fetched by those who wait for it

BUTTONS = ("pause", "resume", "step", "reset")


class Controls:
    """Buttons and frames between one thread that trains and any number that answer readers.

    Args:
        stop: Function that says whether the training is to end, as after a signal.
        clock: Seconds, monotonic.
    """

    def __init__(self, stop, clock=time.monotonic):
        self.stop = stop
        self.clock = clock
        self.paused = False
        self.opened = False  # Whether anybody ever asked for a frame.
        self.ending = "The training has ended."  # What the last frame says.
        self.game = None  # What does not change from frame to frame, as bytes of JSON.
        self._changed = threading.Condition()
        self._steps = 0  # to run although paused
        self._reset = False
        self._run = f"{time.time_ns():x}"  # Frames of another process have other keys.
        self._number = 0
        self._frame = {}
        self._encoded = None
        self._waiting = 0  # readers that wait for a newer frame
        self._stale = True  # Whether something changed since the newest frame.
        self._due = 0.0
        self._closed = False
        self._fetched = 0  # the newest number that a reader has got

    # For readers.

    @property
    def closed(self):
        """Whether there is no training any more."""
        return self._closed

    def press(self, button):
        """Does what a button of the page says, one of `BUTTONS`."""
        with self._changed:
            if button == "reset":
                self._reset = True
            elif button == "step":
                # A key held down asks more often than a slow step ends: no more than one waits.
                self._steps = 1
            self.paused = button in ("pause", "step") or (button == "reset" and self.paused)
            self._stale = True
            self._changed.notify_all()

    def facts(self, seconds):
        """Waits for what does not change from frame to frame; bytes, or None."""
        with self._changed:
            self._changed.wait_for(lambda: self.game or self._closed, seconds)
            return self.game

    def newer(self, key, seconds):
        """Waits for a frame that is not the one of that key.

        Args:
            key: `key` of the frame that the reader has; anything else for none.
            seconds: How long to wait.

        Returns:
            The newest frame, as bytes of JSON, or None.
        """
        with self._changed:
            self.opened = True
            self._waiting += 1
            self._changed.notify_all()  # A pause goes on, and may have nothing to show yet.
            try:
                self._changed.wait_for(lambda: self._closed or self._is_newer(key), seconds)
            finally:
                self._waiting -= 1
            if not self._is_newer(key):
                return None
            self._fetched = self._number
            self._changed.notify_all()
            return self._encoded

    def _is_newer(self, key):
        return self._encoded is not None and key != self._frame["key"]

    # For the training.

    @property
    def over(self):
        """Whether the steps are to end here: by a signal, or to start again."""
        return self._reset or self.stop()

    def begin(self, game):
        """Says what does not change from frame to frame, a dict for JSON."""
        with self._changed:
            self.game = _encode(game)
            self._changed.notify_all()

    def between(self, frame):
        """Between two calls of the training graph: leaves a frame if one is due, and pauses.

        Args:
            frame: Function that makes what to show, a dict for JSON.

        Returns:
            Whether there was a pause.
        """
        now = self.clock()
        with self._changed:
            self._stale = True
            due = self._waiting and now >= self._due
        if due and not self.paused:
            # Later than it was due, but no later than that: ten a second on average.
            self._due = max(self._due + FRAME_SECONDS, now)
            self._publish(frame)
        return self._pause(frame)

    def hold(self, frame):
        """At the last step: waits until the game is to start again, or the training to end.

        Returns:
            Whether it is to start again.
        """
        with self._changed:
            self._steps, self._stale = 0, True
        self._until(frame, lambda: self.over, state="ended")
        return self._reset

    def start_again(self):
        """Takes the wish to start again as fulfilled; returns whether there was one."""
        with self._changed:
            wished, self._reset = self._reset, False
            self._steps = 0
            return wished

    def _pause(self, frame):
        paused = self.paused
        self._until(frame, lambda: not self.paused or self._steps or self.over)
        with self._changed:
            self._steps = 0
        return paused

    def _until(self, frame, over, state=None):
        """Waits until `over()`, and shows readers what changed."""
        while True:
            with self._changed:
                if over():
                    return
                if not (self._waiting and self._stale):
                    self._changed.wait(PAUSE_SECONDS)
                    continue
            self._publish(frame, state)

    def _publish(self, frame, state=None):
        with self._changed:
            self._stale = False  # What is pressed while the frame is made comes after it.
            state = state or ("paused" if self.paused else "running")
        self._leave({**frame(), "state": state})

    def _leave(self, frame):
        with self._changed:
            self._number += 1
            self._frame = {**frame, "key": f"{self._run}-{self._number}"}
            self._encoded = _encode(self._frame)
            self._changed.notify_all()

    def show(self, frame):
        """Leaves a frame although nobody may ask for it: the first one."""
        self._publish(frame)

    def close(self):
        """Leaves a last frame with `ending`, and waits a moment for those who ask for it."""
        self._leave({**self._frame, "state": "closed", "message": self.ending})
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._waiting or self._fetched >= self._number - 1 > 0:
                self._changed.wait_for(lambda: self._fetched == self._number, LINGER_SECONDS)


def _encode(value):
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
