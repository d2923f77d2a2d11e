"""The threads that predict, and the bounded number of requests that they have taken on."""

import asyncio
import concurrent.futures
import contextlib
import functools
import os

import grpc

from gan_keras.serving.cancellation import CancellationManager
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
        self._free = asyncio.Semaphore(threads)
        self._limits, self._taken, self._stopping = limits, 0, False
        self._running = set()

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
        """Calls `function(*arguments, manager)` in a thread, as soon as one is free.

        A caller that leaves before the end cancels the manager, a CancellationManager; the
        thread counts as taken until the function has returned.
        """
        return await self.run_next(lambda manager: functools.partial(function, *arguments, manager))

    async def run_next(self, take):
        """Calls what `take(manager)` returns in a thread, as soon as one is free; see `run`.

        `take` is called in the event loop once there is a thread; nothing runs if it returns
        nothing.
        """
        await self._free.acquire()
        manager = CancellationManager()
        self._running.add(manager)
        try:
            function = take(manager)
            if not function:
                self._freed(manager)
                return None
            work = asyncio.get_running_loop().run_in_executor(self._threads, function)
        except Exception:  # closed
            self._freed(manager)
            raise
        work.add_done_callback(lambda done: self._freed(manager, done))
        try:
            # Unlike awaiting the work itself, this leaves it its thread when it is cancelled.
            await asyncio.wait({work})
        finally:
            if not work.done():
                manager.start_cancel()
        return work.result()

    def _freed(self, manager, done=None):
        self._running.discard(manager)
        self._free.release()
        if done and not done.cancelled():
            done.exception()  # or asyncio would report the one that nobody waits for

    def stop(self):
        """Takes no further request; those that have a place keep it."""
        self._stopping = True

    def close(self):
        """Cancels what still runs, so that the process can end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for manager in self._running:
            manager.start_cancel()
