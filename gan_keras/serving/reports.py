"""Failures that a caller can cause as often as he likes, reported once a minute each."""

import logging
import time

SECONDS = 60.0

_last = {}  # kind: [when it was last reported, how often it was left out since then]


def rarely(kind, text, *arguments, clock=time.monotonic):
    """Logs a warning, at most once a minute for each kind.

    Args:
        kind: Which failures are the same one; of few different values.
        text: The message, with %-placeholders for `arguments`.
        clock: Seconds now, for tests.
    """
    now = clock()
    last = _last.get(kind)
    if last and now - last[0] < SECONDS:
        last[1] += 1
        return
    _last[kind] = [now, 0]
    if last and last[1]:
        text += f" ({last[1]} more of this kind since the last report)"
    logging.getLogger("gan_keras.serving").warning(text, *arguments)


def loop_failure(loop, context):
    """An asyncio exception handler: one line instead of a trace."""
    error = context.get("exception")
    kind = type(error).__name__ if error else context.get("message", "")
    rarely(("loop", kind), "%s: %s", context.get("message", "event loop"), error or "no details")
