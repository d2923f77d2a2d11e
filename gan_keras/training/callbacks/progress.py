"""A line that tells how far the training is, how fast it goes, and how long it will take.

By hand rather than by tqdm, whose bar is one line that is written over: in a log file there are to
be lines of their own, seconds apart, and where the reader has gone the run is to save before it
ends, and of several workers to go on.
"""

import logging
import sys
import time

import keras

from gan_keras.distribution import strategy as strategies

logger = logging.getLogger(__name__)

# Between two lines where they pile up, as in a log file; and between two states of one line.
LOG_SECONDS, TERMINAL_SECONDS = 5.0, 0.2


class Progress(keras.callbacks.Callback):
    """Prints step, losses, D's mean verdicts, images/s and the time left.

    On a terminal the line is written over; elsewhere there is a new one every few seconds. If
    whoever read the lines has gone, as in `gan-keras-train | head`, the run saves and stops; of
    several workers the others would wait for this one, which therefore goes on in silence. So
    does a run whose log is on a full disk.

    Args:
        steps: The step at which training ends.
        batch_size: Real images per step, for the speed.
        warnings: Names of what is to be seen at the end of the line while it lasts; whoever
            passes them keeps them up to date.
    """

    def __init__(self, steps, batch_size, warnings=()):
        super().__init__()
        self.steps = steps
        self.batch_size = batch_size
        self.warnings = warnings
        self.terminal = sys.stdout is not None and sys.stdout.isatty()
        self.first = None
        self.printed = 0.0
        self.silent = False

    def on_train_batch_end(self, batch, logs=None):
        now, step = time.monotonic(), self.model.step
        if self.first is None:  # The call that traced the graph says nothing about the speed.
            self.first = now, step
            return
        interval = TERMINAL_SECONDS if self.terminal else LOG_SECONDS
        if now - self.printed < interval and step < self.steps:
            return
        self.printed = now
        rate = (step - self.first[1]) / max(now - self.first[0], 1e-9)
        left = (self.steps - step) / rate
        line = (
            f"step {step:,}/{self.steps:,}  d_loss {float(logs['d_loss']):.3f}  "
            f"g_loss {float(logs['g_loss']):.3f}  D(x) {float(logs['d_real']):.2f}  "
            f"D(G(z)) {float(logs['d_fake']):.2f}  {rate * self.batch_size:,.0f} images/s  "
            f"{clock(left)} left" + "".join(f"  ! {warning}" for warning in self.warnings)
        )
        self._print(f"\r{line}\x1b[K" if self.terminal else line, end="" if self.terminal else "\n")

    def restart_clock(self):
        """Begins to measure the speed anew, as after a pause."""
        self.first = None

    def on_train_end(self, logs=None):
        if self.terminal and self.printed:
            self._print()

    def _print(self, line="", end="\n"):
        if self.silent:
            return
        try:
            print(line, end=end, flush=True)
        except BrokenPipeError:
            self.silent = True
            if strategies.is_alone(self.model.distribute_strategy):
                self.model.stop_training = True
        except OSError as error:
            self.silent = True
            logger.warning("progress cannot be printed: %s", error.strerror)


def clock(seconds):
    """Writes a time span as m:ss, or h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
