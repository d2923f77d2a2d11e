"""The check that stands between a step's gradients and the weights.

Whoever is given the gradients of `checked` is given finite ones: the graph hands them on only
after the check, and a failed check ends the whole call. So neither a weight that is learned, nor
an optimizer's moments, nor a later step of the same call ever see what is not a number. The
averages of batch normalisation move before it, while the examples pass: the state in memory is
for looking at then, and not for saving.

XLA drops the operator that ends a call. In a step that it compiles the checks are `collected`
instead, and whoever runs the step ends the call (`compiled_step`).
"""

import contextlib
import re

import tensorflow as tf

MARK = "gan_keras: not finite"  # By which our own errors are known among TensorFlow's.
PARTS = ("", "the gradient of ", "a batch statistic behind ")

_collectors: list[list] = []  # Of the steps that are being traced now, the innermost last.


@contextlib.contextmanager
def collected():
    """Lets `checked` raise nothing; what it found is in the list that this yields.

    The list has a pair (name, finite) for each check: bool (3,), in the order of `PARTS`.
    """
    found = []
    _collectors.append(found)
    try:
        yield found
    finally:
        _collectors.pop()


def checked(name, step, losses, gradients, statistics=(), loss_scale=None):
    """Returns the gradients once the loss, they themselves, and the statistics are finite.

    Sums of squares stand for the tensors: one operator and no memory for each. A gradient whose
    square is no number of float32 (|g| > 1.8e19) counts as infinite; Adam's second moment would
    be, too. All replicas come to the same verdict, by one sum of three numbers over them.

    Args:
        name: The loss, as the message is to call it.
        step: Steps done before this one, an integer tensor.
        losses: float32, any shape.
        gradients: float32 tensors, or None for a variable that has none.
        statistics: float32 tensors that are no gradients and must be finite as well.
        loss_scale: The factor that a `LossScaleOptimizer` has put on the gradients. Such an
            optimizer leaves out a step that overflows and halves the factor; only at 1 and below
            it is not the factor's fault.

    Returns:
        The same gradients, bit by bit.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs; `NotFinite.of` reads it.
    """
    squares = _squares(gradients)
    if loss_scale is not None:
        squares = tf.where(loss_scale <= 1.0, squares, 0.0)
    numbers = tf.stack([tf.reduce_sum(losses), squares, _squares(statistics)])
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync > 1:
        numbers = context.all_reduce(tf.distribute.ReduceOp.SUM, numbers)
    finite = tf.math.is_finite(numbers)
    if _collectors:
        _collectors[-1].append((name, finite))
        return gradients
    with tf.control_dependencies(stop_unless(finite, name, step)):
        return [None if each is None else tf.identity(each) for each in gradients]


def stop_unless(finite, name, step):
    """Ends the call of the graph unless all of a check is finite.

    Args:
        finite: bool (3,), in the order of `PARTS`.
        name, step: As of `checked`.

    Returns:
        What to wait for, a list: outside of a graph it is empty, as it has already raised.
    """
    # Not `tf.debugging.Assert`, which puts a conditional around this operator.
    check = tf.raw_ops.Assert(
        condition=tf.reduce_all(finite), data=[MARK, name, step + 1, finite], summarize=3
    )
    return [] if check is None else [check]


def _squares(tensors):
    halves = [tf.nn.l2_loss(each) for each in tensors if each is not None]
    return tf.add_n(halves) if halves else tf.zeros(())


class NotFinite:
    """What a failed check tells.

    Attributes:
        what: What is not finite, as in "the gradient of g_loss".
        name: The loss, as in "g_loss".
        step: The step that was not done, from 1 on.
    """

    def __init__(self, what, name, step):
        self.what, self.name, self.step = what, name, step

    @classmethod
    def of(cls, error):
        """Reads a `tf.errors.InvalidArgumentError`; None if it is another's."""
        found = re.search(rf"\[{MARK}\] \[(\w+)\] \[(\d+)\] \[([01]) ([01]) ([01])\]", str(error))
        if not found:
            return None
        name, step, *finite = found.groups()
        return cls(PARTS[finite.index("0")] + name, name, int(step))
