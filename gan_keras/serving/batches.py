"""Joins requests that wait for the same signature, so that one call of its graph answers them.

The policy:

- Nothing waits for company: a lone request is run at once, and as it is. What comes meanwhile is
  the next batch, in the order in which it came.
- Only small requests for the signatures that this package exports are joined: each of their rows
  depends on itself alone, so that a picture has the same bytes in any company. One of more than
  LARGE rows takes a thread of its own, and holds up none of them.
- A batch of several requests is filled up to one of `contract.ALLOWED_BATCH_SIZES`, which the
  warm-up has run, by repeating its last row. At least half of it was asked for: where fewer rows
  wait, the first of them fill the next smaller size.
- A batch has LARGE rows at most. While it runs, the event loop has the replies of the one before
  it to write, which takes as long.
- The thread that has run a batch takes the next one itself, unless others wait for a thread: the
  way over the event loop takes more than half as long as a small batch.
- When the graph refuses a batch, each of its requests is run alone: only the bad ones fail.
- Who gives up leaves the line; a batch that runs is no larger or slower for one more.
"""

import asyncio
import threading
import weakref

import grpc
import numpy as np

from gan_keras.exporting import contract
from gan_keras.serving.request_error import RequestError

# Bytes of requests that are joined, and of replies that are written in the event loop, which has
# no time for more.
SMALL = 2**14
LARGE = 16  # rows; from there on a batch of several is hardly quicker than one after the other


class Batches:
    """Requests that wait, by signature.

    Args:
        workers: The Workers, whose threads run the batches.
    """

    def __init__(self, workers):
        self._workers = workers
        self._lines = weakref.WeakKeyDictionary()  # a version takes its signatures along

    async def predict(self, signature, arrays):
        """Returns all outputs of a signature that joins, arrays by name.

        Args:
            signature: The Signature.
            arrays: Its checked inputs by name; the first dimension of each is that of the rows.

        Raises:
            RequestError: the graph refuses these rows.
        """
        if _rows(arrays) > LARGE:
            return await self._workers.run(signature, arrays)
        line = self._lines.get(signature)
        if line is None:
            line = self._lines[signature] = _Line(signature, self._workers)
        return await line.predict(arrays)


class _Request:
    def __init__(self, arrays):
        self.arrays = arrays
        self.rows = _rows(arrays)
        self.answer = asyncio.get_running_loop().create_future()


class _Line:
    """Requests come and leave in the event loop; a thread takes them out."""

    def __init__(self, signature, workers):
        # A cycle of references would keep the version, and its memory.
        self._signature, self._workers = weakref.ref(signature), workers
        most = min(LARGE, signature.most_rows)
        self._sizes = [size for size in contract.ALLOWED_BATCH_SIZES if size <= most]
        self._changing = threading.Lock()
        self._waiting = {}  # of _Request, as an ordered set
        self._running = None  # the task of `_run`; two batches at a time would be smaller ones

    async def predict(self, arrays):
        request = _Request(arrays)
        with self._changing:
            self._waiting[request] = None
            if self._running is None:
                self._running = asyncio.create_task(self._run(self._signature()))
        try:
            return await request.answer
        finally:
            with self._changing:
                self._waiting.pop(request, None)

    async def _run(self, signature):
        """Runs batches until nobody waits."""
        try:
            while not await self._workers.run(
                self._in_thread, signature, asyncio.get_running_loop()
            ):
                pass  # others have had their turn
        except Exception as error:  # closed
            with self._changing:
                left, self._waiting, self._running = self._waiting, {}, None
            _deliver(left, [error] * len(left))

    def _in_thread(self, signature, loop):
        """Runs batches; returns whether nobody waits any more."""
        while True:
            with self._changing:
                requests = self._take()
                if not requests:
                    self._running = None
                    return True
            try:
                found = answers(signature, requests, self._sizes)
            except Exception as error:
                found = [error] * len(requests)
            loop.call_soon_threadsafe(_deliver, requests, found)
            if self._workers.wanted():
                return False

    def _take(self):
        """Takes the next batch out of the line: the first request, and what it may have beside."""
        waiting, rows, count = list(self._waiting), 0, 1
        for number, request in enumerate(waiting, start=1):
            rows += request.rows
            if padded(rows, self._sizes):
                count = number
        for request in waiting[:count]:
            del self._waiting[request]
        return waiting[:count]


def _deliver(requests, found):
    for request, answer in zip(requests, found, strict=True):
        if request.answer.done():  # it has left
            continue
        if isinstance(answer, Exception):
            request.answer.set_exception(answer)
        else:
            request.answer.set_result(answer)


def _rows(arrays):
    return max(len(array) for array in arrays.values())


def padded(rows, sizes):
    """Returns the size to which a batch of so many rows is filled up; 0 if it would be too much.

    Args:
        rows: How many were asked for.
        sizes: The allowed sizes, increasing.
    """
    size = next((size for size in sizes if size >= rows), 0)
    return size if size <= 2 * rows else 0


def answers(signature, requests, sizes):
    """Runs the requests of a batch; returns what each gets: arrays by name, or its error."""
    if len(requests) > 1:
        try:
            return _joined(signature, requests, sizes)
        except RequestError:
            pass  # whose fault it was shows below
    found = []
    for request in requests:
        try:
            found.append(signature(request.arrays))
        except RequestError as error:
            found.append(error)
    return found


def _joined(signature, requests, sizes):
    """Returns the outputs of each request, all of them by one call."""
    ends = np.cumsum([request.rows for request in requests])
    size = padded(ends[-1], sizes)
    arrays = {}
    for name in signature.inputs:
        columns = [request.arrays[name] for request in requests]
        columns += [columns[-1][-1:]] * (size - ends[-1])
        arrays[name] = np.concatenate(columns)
        if len(arrays[name]) != size:  # two inputs of one request differ in their rows
            raise RequestError(grpc.StatusCode.INVALID_ARGUMENT, f"rows of `{name}`")
    outputs = signature(arrays)
    return [
        {name: array[end - request.rows : end] for name, array in outputs.items()}
        for request, end in zip(requests, ends, strict=True)
    ]
