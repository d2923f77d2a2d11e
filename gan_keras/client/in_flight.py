"""Calls that run at the same time, with their results in order."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any


def ordered(function: Callable[[Any], Any], items: Sequence[Any], most: int) -> Iterator[Any]:
    """Yields `function(item)` of each item in order; up to `most` calls run at the same time.

    The first call that fails ends all: none begins after it, and its error is raised. A lone item
    is called in the caller's own thread.

    Args:
        function: What is called; it waits for a server, so that threads help.
        items: At least one.
        most: >= 1.
    """
    if len(items) == 1 or most == 1:
        yield from map(function, items)
        return
    waiting: queue.SimpleQueue = queue.SimpleQueue()
    done: queue.SimpleQueue = queue.SimpleQueue()
    for numbered in enumerate(items):
        waiting.put(numbered)
    over = threading.Event()

    def work():
        while not over.is_set():
            try:
                number, item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((number, function(item), None))
            except BaseException as error:
                over.set()
                done.put((number, None, error))

    # Daemons: who interrupts the program does not wait for a server that does not answer.
    for _ in range(min(most, len(items))):
        threading.Thread(target=work, name="in flight", daemon=True).start()
    results: dict[int, Any] = {}
    try:
        for number in range(len(items)):
            while number not in results:
                which, result, error = done.get()
                if error is not None:
                    raise error
                results[which] = result
            yield results.pop(number)
    finally:
        over.set()
