"""Checkpoints while training, and at its end."""

import keras


class Save(keras.callbacks.Callback):
    """Saves every so many steps, and the last step whatever it is.

    Args:
        checkpoints: A `checkpoints.Checkpoints`.
        every: Steps between two checkpoints.
    """

    def __init__(self, checkpoints, every):
        super().__init__()
        self.checkpoints = checkpoints
        self.every = every
        self.saved = None

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step % self.every == 0:
            self._save()

    def on_train_end(self, logs=None):
        if self.saved != self.model.step:
            self._save()

    def _save(self):
        self.saved = self.model.step
        self.checkpoints.save(self.saved)
