"""What the contestants that train by `fit` share."""

import keras

ENDLESS = 10**9  # Steps in the one epoch, which the clock ends.


class Ticker(keras.callbacks.Callback):
    """Ticks after each call of the training graph, and ends the training when time is up."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def on_train_batch_end(self, batch, logs=None):
        if not self.clock.tick(self.model.steps_per_execution):
            self.model.stop_training = True


def fit(model, dataset, clock):
    """Trains until the clock's time is up."""
    model.fit(dataset, steps_per_epoch=ENDLESS, callbacks=[Ticker(clock)], shuffle=False, verbose=0)


def weights(model):
    """Returns the trainable weights of both players as arrays."""
    return {
        player: [variable.numpy() for variable in getattr(model, player).trainable_variables]
        for player in ("generator", "discriminator")
    }
