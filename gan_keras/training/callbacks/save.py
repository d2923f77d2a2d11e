"""Checkpoints while training, and at its end."""

import contextlib

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
        self.between = False  # Whether the last step is complete, and no other has begun.

    def on_train_batch_begin(self, batch, logs=None):
        self.between = False

    def on_train_batch_end(self, batch, logs=None):
        self.between = True
        if self.model.step % self.every == 0:
            self._save()

    def on_train_end(self, logs=None):
        if self.saved != self.model.step:
            self._save()

    @contextlib.contextmanager
    def also_after_errors(self):
        """Saves the last step if what is drawn, watched or written beside it ends the training."""
        try:
            yield
        except Exception:
            if self.between and self.saved != self.model.step:
                self._save()
            raise

    def _save(self):
        self.saved = self.model.step
        self.checkpoints.save(self.saved)
