"""The clock of a measurement as a callback of `fit`."""

import keras


class Ticker(keras.callbacks.Callback):
    """Ticks after each call of the training graph, and ends the training when time is up.

    Args:
        clock: A `benchmarks.clock.Clock`.
    """

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def on_train_batch_end(self, batch, logs=None):
        if not self.clock.tick(self.model.steps_per_execution):
            self.model.stop_training = True
