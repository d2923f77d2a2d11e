"""Places, threads and time: who is taken on, who waits, and who is sent away."""

import asyncio
import os
import threading

import grpc
import pytest

from gan_keras.serving.limits import Limits
from gan_keras.serving.request_error import RequestError
from gan_keras.serving.workers import Workers

THREADS = max(4, os.cpu_count() or 1)


async def request(workers, function, *arguments):
    async with workers.admit():
        return await workers.run(function, *arguments)


async def settled(tasks):
    """Lets every task go as far as it can without a thread's help."""
    for _ in range(10 * len(tasks)):
        await asyncio.sleep(0)


async def code(task):
    with pytest.raises(RequestError) as refused:
        await task
    return refused.value.code


def test_one_more_than_the_places_is_refused_and_waits_for_nothing():
    opened = threading.Event()

    async def main():
        workers = Workers(Limits(requests=THREADS + 2))
        held = [
            asyncio.create_task(request(workers, lambda n, _: opened.wait(30) and n, n))
            for n in range(THREADS + 2)
        ]
        await settled(held)
        assert await code(request(workers, lambda _: 0)) == grpc.StatusCode.RESOURCE_EXHAUSTED
        opened.set()
        assert await asyncio.gather(*held) == list(range(THREADS + 2))
        assert await request(workers, lambda _: "again") == "again"
        workers.close()

    asyncio.run(main())


def test_who_gives_up_in_the_line_is_never_run():
    opened, ran = threading.Event(), []

    async def main():
        workers = Workers(Limits(requests=2 * THREADS))
        held = [
            asyncio.create_task(request(workers, lambda _: opened.wait(30))) for _ in range(THREADS)
        ]
        await settled(held)
        given_up = asyncio.create_task(request(workers, ran.append))
        later = asyncio.create_task(request(workers, lambda _: "later"))
        await settled([given_up, later])
        given_up.cancel()
        opened.set()
        assert await later == "later"
        assert all(await asyncio.gather(*held))
        workers.close()

    asyncio.run(main())
    assert ran == []


def test_a_thread_that_cannot_be_cancelled_stays_taken_though_its_place_is_free():
    opened, ran = threading.Event(), []

    async def main():
        workers = Workers(Limits(requests=THREADS, seconds=0.05))
        held = [request(workers, lambda _: opened.wait(30)) for _ in range(THREADS)]
        codes = await asyncio.gather(*map(code, held))
        assert codes == [grpc.StatusCode.DEADLINE_EXCEEDED] * THREADS
        # The next one has a place, and leaves it without having had a thread.
        assert await code(request(workers, ran.append)) == grpc.StatusCode.DEADLINE_EXCEEDED
        assert ran == []
        opened.set()
        workers._limits = Limits()
        assert await request(workers, lambda _: "again") == "again"
        workers.close()

    asyncio.run(main())


def test_time_over_cancels_the_manager():
    cancelled = threading.Event()

    def waiting(manager):
        while not manager.is_cancelled:
            threading.Event().wait(0.001)
        cancelled.set()

    async def main():
        workers = Workers(Limits(seconds=0.05))
        assert await code(request(workers, waiting)) == grpc.StatusCode.DEADLINE_EXCEEDED
        assert cancelled.wait(30)
        # The server's end cancels too what nobody waits for any more.
        cancelled.clear()
        workers = Workers(Limits())
        task = asyncio.create_task(request(workers, waiting))
        await settled([task])
        workers.close()
        await task
        assert cancelled.is_set()

    asyncio.run(main())


def test_failures_come_through_and_free_the_thread():
    def failing(_):
        raise RequestError(grpc.StatusCode.OUT_OF_RANGE, "no")

    async def main():
        workers = Workers(Limits(requests=1))
        for _ in range(2 * THREADS):
            assert await code(request(workers, failing)) == grpc.StatusCode.OUT_OF_RANGE
        workers.close()

    asyncio.run(main())


def test_a_time_out_of_the_function_is_not_the_servers():
    def failing(_):
        raise TimeoutError("its own")

    async def main():
        with pytest.raises(TimeoutError, match="its own"):
            await request(Workers(Limits()), failing)

    asyncio.run(main())


def test_stopping_refuses_who_comes_and_keeps_who_is_there():
    async def main():
        workers = Workers(Limits())
        async with workers.admit():
            workers.stop()
            assert await code(request(workers, lambda _: 0)) == grpc.StatusCode.UNAVAILABLE
            assert await workers.run(lambda _: "kept") == "kept"
        workers.close()

    asyncio.run(main())
