"""How tf.data runs what this package reads: ahead of the training, and not tuned by a thread."""

import os

import tensorflow as tf

# TensorFlow has no public name for what it puts between a dataset and its devices.
from tensorflow.python.data.ops import multi_device_iterator_ops

PREFETCH = 2  # One batch that waits while the next one is made.
PARALLEL = min(16, os.cpu_count() or 1)  # Chunks at a time, read or decoded.


def endless(steps):
    """Returns a dataset of one element per step, which has no end, as training takes it."""
    # A counter does not say that it has no end; tf.distribute, left in doubt, checks at every
    # step whether each replica got something.
    no_end = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return untuned(steps.apply(no_end).prefetch(PREFETCH))


def untuned(dataset):
    """Returns the dataset without the thread that tunes a pipeline while it runs.

    To end that thread can take a minute: TensorFlow 2.21 wakes it before it says that the thread
    is to end (core/framework/cancellation.cc); if it looks in between it sleeps on, for up to 60 s,
    and whoever lets go of the iterator waits, as at the end of a training.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _untune_devices():
    """Lets the datasets that tf.distribute makes for its devices do without that thread too.

    They take no options from the dataset that is distributed.
    """
    make = multi_device_iterator_ops._create_device_dataset

    def made(*arguments, **options):
        return untuned(make(*arguments, **options))

    multi_device_iterator_ops._create_device_dataset = made


_untune_devices()
