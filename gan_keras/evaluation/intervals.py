"""Intervals of scores that are means over samples, with the name of the method."""

from gan_keras.metrics import bootstrap

LEVEL = 0.95

_METHODS = {"b": "Wilson's interval", "f": "Student's t"}


def of_means(**values):
    """Returns metric: (Interval, method, details) for what single samples contribute to each."""
    return {
        name: (bootstrap.mean_interval(each, LEVEL), _METHODS[each.dtype.kind], {})
        for name, each in values.items()
    }
