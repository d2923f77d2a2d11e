"""What the contestants of Keras share."""

import keras
import numpy as np

from benchmarks import workload

ENDLESS = 10**9  # Steps in the one epoch, which the clock ends.
CHUNK = 500  # Latents per call of a generator.


def fit(model, dataset, clock):
    """Trains until the clock's time is up; it ticks after each call of the training graph."""

    def tick(batch, logs):
        if not clock.tick(model.steps_per_execution):
            model.stop_training = True

    beside = [keras.callbacks.LambdaCallback(on_train_batch_end=tick)]
    model.fit(dataset, steps_per_epoch=ENDLESS, callbacks=beside, shuffle=False, verbose=0)


class Players:
    """What every contestant has that holds a `generator` and a `discriminator` of Keras."""

    images_per_step = workload.BATCH_SIZE

    def wait(self):
        self.generator.trainable_variables[0].numpy()

    def pictures(self, count):
        sizes = [min(CHUNK, count - first) for first in range(0, count, CHUNK)]
        latents = [keras.random.normal((size, workload.LATENT_DIM)) for size in sizes]
        return np.concatenate([self.generator(z, training=False).numpy() for z in latents])
