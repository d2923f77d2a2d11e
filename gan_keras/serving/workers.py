"""The threads that predict, and the bounded number of requests that they have taken on."""

import asyncio
import concurrent.futures
import contextlib
import os

import grpc

from gan_keras.serving.request_error import RequestError


class Workers:
    """Everything but the functions that it runs happens in the event loop.

    Args:
        limits: The Limits.
    """

    def __init__(self, limits):
        # Few more than the cores: TensorFlow spreads one prediction over all of them, and what
        # waits holds no memory for its activations.
        threads = max(4, os.cpu_count() or 1)
        self._threads = concurrent.futures.ThreadPoolExecutor(threads, "predict")
        # In front of the threads, since their own queue keeps what its caller has given up.
        self._free, self._queue = asyncio.Semaphore(threads), 0
        self._limits, self._taken, self._stopping = limits, 0, False

    @contextlib.asynccontextmanager
    async def admit(self):
        """Holds one request's place, from when all of it is here to its answer.

        Raises:
            RequestError: there is no place, the server stops, or the time is over.
        """
        if self._stopping:
            raise RequestError(
                grpc.StatusCode.UNAVAILABLE, "the server is stopping; ask another one"
            )
        if self._taken >= self._limits.requests:
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self._limits.requests} requests are under way, the most that this server takes;"
                " ask again later",
            )
        self._taken += 1
        clock = asyncio.timeout(self._limits.seconds)
        try:
            async with clock:
                yield
        except TimeoutError:
            if not clock.expired():
                raise
            raise RequestError(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"not done within {self._limits.seconds:g} s, the most that this server takes",
            ) from None
        finally:
            self._taken -= 1

    async def run(self, function, *arguments):
        """Calls `function(*arguments)` in a thread, as soon as one is free.

        A caller that leaves in the line is not run; one that leaves later leaves the thread to
        its work, as in TensorFlow Serving.
        """
        self._queue += 1
        try:
            await self._free.acquire()
        finally:
            self._queue -= 1
        try:
            work = asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        except Exception:  # closed
            self._free.release()
            raise
        work.add_done_callback(self._freed)
        # Unlike awaiting the work itself, this leaves it its thread when it is cancelled.
        await asyncio.wait({work})
        return work.result()

    def wanted(self):
        """Whether somebody waits for a thread; any thread may ask."""
        return self._queue > 0

    def _freed(self, work):
        self._free.release()
        if not work.cancelled():
            work.exception()  # or asyncio would report the one that nobody waits for

    def stop(self):
        """Takes no further request; those that have a place keep it."""
        self._stopping = True

    def close(self):
        """Runs nothing more; what runs is left to end by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
