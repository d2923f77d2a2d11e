"""How many steps the next call of the training graph runs."""

import time

import keras

# From 32 on a call's own cost is lost in that of its steps.
MOST_STEPS = 32
# So that progress moves and a stop is heard while steps are slow.
CALL_SECONDS = 1.0


class StepsPerCall(keras.callbacks.Callback):
    """Lets each call run to the next step at which something else has to happen.

    Grouping steps into calls changes no number, so it may depend on their speed.

    Args:
        steps: The step to stop after.
        intervals: Numbers of steps; a call ends at every multiple of each.
        stop: Called after each call; True ends the training.
        adaptive: Whether to shorten calls whose steps are slow. Not with several workers,
            whose calls have to match.
        seconds: How long a call may last, if adaptive.
    """

    def __init__(self, steps, intervals, stop, adaptive=True, seconds=CALL_SECONDS):
        super().__init__()
        self.steps = steps
        self.intervals = intervals
        self.stop = stop
        self.adaptive = adaptive
        self.seconds = seconds
        self.most = 1 if adaptive else MOST_STEPS  # The first call traces the graph as well.
        self.calls = 0

    def on_train_batch_begin(self, batch, logs=None):
        step = self.model.step
        ends = [self.steps, *((step // every + 1) * every for every in self.intervals)]
        self.model.steps_per_execution = min(self.most, min(ends) - step)
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.calls += 1
        if self.adaptive and self.calls > 1:
            seconds = (time.perf_counter() - self.began) / self.model.steps_per_execution
            self.most = max(1, min(MOST_STEPS, int(self.seconds / seconds)))
        if self.model.step >= self.steps or self.stop():
            self.model.stop_training = True
