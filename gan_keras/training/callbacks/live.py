"""Frames of the live view between the steps, and what its buttons do to a training."""

import keras


class Live(keras.callbacks.Callback):
    """Leaves frames, pauses between two steps, and ends `fit` where the game is to start again.

    It stays the same through all calls of `fit` of a run. Put it after all callbacks that write:
    a run that is paused at a step has done what is due at that step.

    Args:
        controls: The `live.Controls`.
        frames: The `LiveFrames`.
    """

    def __init__(self, controls, frames):
        super().__init__()
        self.controls = controls
        self.frames = frames
        self.clocks = ()  # Callbacks that measure a speed, for which a pause does not count.

    def on_train_begin(self, logs=None):
        self.frames.begin()
        self.controls.show(self.frames.frame)

    def on_train_batch_begin(self, batch, logs=None):
        if self.controls.paused:
            self.model.steps_per_execution = 1

    def on_train_batch_end(self, batch, logs=None):
        self.frames.note(logs)
        if self.model.stop_training:
            return
        if self.controls.between(self.frames.frame):
            for clock in self.clocks:
                clock.restart_clock()
        if self.controls.over:
            self.model.stop_training = True
