"""Whether a value fits the field of a configuration: its type, its choices, its range."""

import sys

from gan_keras.errors import UsageError, visible

# Bound of the whole numbers that have none of their own, and more than any run needs: what
# overflows inside TensorFlow fails with errors that name no flag.
LARGEST = 2**31 - 1


def check(item, value):
    """Compares one field's value with its type and bounds.

    Args:
        item: The `dataclasses.Field`; its metadata has the bounds, as `config._flag` makes them.
        value: What the field is to have.

    Raises:
        UsageError: it does not fit; the message names the flag.
    """
    kind, bounds = item.type, item.metadata
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise UsageError(f"--{item.name}={value!r}: must be of type {kind.__name__}")
    # Written so that NaN fails too.
    if kind is float and not abs(value) <= sys.float_info.max:
        raise UsageError(f"--{item.name}={value}: must be finite")
    if kind is str and value != visible(value):
        raise UsageError(
            f"--{item.name}={value}: has characters that cannot be shown; choose another name"
        )
    return _check_bounds(item.name, value, bounds)


def _check_bounds(name, value, bounds):
    choices, least, most = bounds["choices"], bounds["least"], bounds["most"]
    above, below = bounds["above"], bounds["below"]
    if choices is not None and value not in choices:
        raise UsageError(f"--{name}={value}: choose from {', '.join(map(str, choices))}")
    if least is not None and not value >= least:
        raise UsageError(f"--{name}={value}: must be at least {least}")
    if most is None and type(value) is int:
        most = LARGEST
    if most is not None and not value <= most:
        raise UsageError(f"--{name}={value}: must be at most {most}")
    if above is not None and not value > above:
        raise UsageError(f"--{name}={value}: must be greater than {above}")
    if below is not None and not value < below:
        raise UsageError(f"--{name}={value}: must be less than {below}")
