"""Ending a prediction early, apart from those of other threads.

TensorFlow (2.21) keeps the manager of the call under way in one variable of the process. A thread
that begins or ends a call would change it for all others: one caller's leaving would cancel what
another waits for, or a version that is being loaded, or find nothing left to cancel. Here each
thread has its own.
"""

import contextlib
import threading

# TensorFlow has no public name for it; without it a graph that loops holds its thread for ever.
from tensorflow.python.eager import cancellation

CancellationManager = cancellation.CancellationManager

_of_thread = threading.local()


@contextlib.contextmanager
def cancelled_by(manager):
    """Lets a CancellationManager, if there is one, end this thread's calls within the block."""
    _of_thread.manager = manager
    try:
        yield
    finally:
        _of_thread.manager = None


def _current():
    # Whoever uses TensorFlow's own context in this process keeps it.
    return getattr(_of_thread, "manager", None) or cancellation._active_context


cancellation.context = _current
