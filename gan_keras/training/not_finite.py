"""A loss or gradient that is not finite, as one line with what to try."""

import contextlib
import sys

import tensorflow as tf

from gan_keras.errors import UserError
from gan_keras.game import finite_check


@contextlib.contextmanager
def reported(config, saved):
    """Makes a UserError of what a check of the graph (`game.finite_check`) has found."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = finite_check.NotFinite.of(error)
        if found is None:
            raise
        if sys.stdout.isatty():
            print()  # Ends the line of the progress.
        good = saved.latest_checkpoint
        raise UserError(
            f"step {found.step:,}: {found.what} is not finite; nothing of this step is kept, "
            + (f"the last good checkpoint is {good}" if good else "there is no checkpoint yet")
            + f"; {remedy(config)}"
        ) from None


def remedy(config):
    """What to try, in another folder, when a run with this configuration does not learn."""
    rates = [f"--learning_rate below {config.learning_rate:g}"]
    if config.discriminator_learning_rate:
        rates.append(f"--discriminator_learning_rate below {config.discriminator_learning_rate:g}")
    if config.mixed_precision != "float32":
        rates.append("--mixed_precision=float32")
    return f"in another --workdir try {' or '.join(rates)}"
