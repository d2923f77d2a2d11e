"""What the contestants of Keras share."""

import keras

from benchmarks import workload

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


class Players:
    """What every contestant has that holds a `generator` and a `discriminator` of Keras."""

    images_per_step = workload.BATCH_SIZE

    def wait(self):
        self.generator.trainable_variables[0].numpy()

    def weights(self):
        return weights(self)


def weights(players):
    """Returns the trainable weights of both players as arrays."""
    return {
        player: [variable.numpy() for variable in getattr(players, player).trainable_variables]
        for player in ("generator", "discriminator")
    }
