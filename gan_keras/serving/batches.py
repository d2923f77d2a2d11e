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
- When the graph refuses a batch, each of its requests is run alone: only the bad ones fail.
- Who gives up leaves the batch to the others; it is cancelled when all of them have.
"""

import asyncio
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
    """Requests that wait, by signature; everything happens in the event loop.

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
            return await self._workers.run(_alone, signature, arrays)
        line = self._lines.get(signature)
        if line is None:
            line = self._lines[signature] = _Line(signature, self._workers)
        return await line.predict(arrays)


class _Request:
    def __init__(self, arrays):
        self.arrays = arrays
        self.rows = _rows(arrays)
        self.answer = asyncio.get_running_loop().create_future()
        self.batch = None  # (all requests of it, its CancellationManager) once it runs


class _Line:
    def __init__(self, signature, workers):
        # A cycle of references would keep the version, and its memory.
        self._signature, self._workers = weakref.ref(signature), workers
        most = min(LARGE, signature.most_rows)
        self._sizes = [size for size in contract.ALLOWED_BATCH_SIZES if size <= most]
        self._waiting = {}  # of _Request, as an ordered set
        self._running = None  # the task of `_run`; two batches at a time would be smaller ones

    async def predict(self, arrays):
        request = _Request(arrays)
        self._waiting[request] = None
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(self._signature()))
        try:
            return await request.answer
        except asyncio.CancelledError:
            self._leave(request)
            raise

    def _leave(self, request):
        self._waiting.pop(request, None)
        if request.batch:
            others, manager = request.batch
            if all(other.answer.done() for other in others):
                manager.start_cancel()

    async def _run(self, signature):
        """Runs batches until nobody waits."""
        while self._waiting:
            taken = []

            def take(manager, taken=taken):
                taken += self._take()
                for request in taken:
                    request.batch = taken, manager
                return taken and (lambda: answers(signature, taken, manager, self._sizes))

            try:
                found = await self._workers.run_next(take)
            except Exception as error:
                found = [error] * len(taken)
            for request, answer in zip(taken, found or (), strict=True):
                if request.answer.done():  # it has left
                    continue
                if isinstance(answer, Exception):
                    request.answer.set_exception(answer)
                else:
                    request.answer.set_result(answer)

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


def _rows(arrays):
    return max(len(array) for array in arrays.values())


def _alone(signature, arrays, manager):
    return signature(arrays, manager=manager)


def padded(rows, sizes):
    """Returns the size to which a batch of so many rows is filled up; 0 if it would be too much.

    Args:
        rows: How many were asked for.
        sizes: The allowed sizes, increasing.
    """
    size = next((size for size in sizes if size >= rows), 0)
    return size if size <= 2 * rows else 0


def answers(signature, requests, manager, sizes):
    """Runs the requests of a batch; returns what each gets: arrays by name, or its error."""
    if len(requests) > 1:
        try:
            return _joined(signature, requests, manager, sizes)
        except RequestError:
            pass  # whose fault it was shows below
    found = []
    for request in requests:
        try:
            found.append(signature(request.arrays, manager=manager))
        except RequestError as error:
            found.append(error)
    return found


def _joined(signature, requests, manager, sizes):
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
    outputs = signature(arrays, manager=manager)
    return [
        {name: array[end - request.rows : end] for name, array in outputs.items()}
        for request, end in zip(requests, ends, strict=True)
    ]
