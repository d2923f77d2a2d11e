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
            asyncio.create_task(request(workers, lambda n: opened.wait(30) and n, n))
            for n in range(THREADS + 2)
        ]
        await settled(held)
        assert await code(request(workers, lambda: 0)) == grpc.StatusCode.RESOURCE_EXHAUSTED
        opened.set()
        assert await asyncio.gather(*held) == list(range(THREADS + 2))
        assert await request(workers, lambda: "again") == "again"
        workers.close()

    asyncio.run(main())


def test_who_gives_up_in_the_line_is_never_run():
    opened, ran = threading.Event(), []

    async def main():
        workers = Workers(Limits(requests=2 * THREADS))
        held = [
            asyncio.create_task(request(workers, lambda: opened.wait(30))) for _ in range(THREADS)
        ]
        await settled(held)
        given_up = asyncio.create_task(request(workers, ran.append, 0))
        later = asyncio.create_task(request(workers, lambda: "later"))
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
        held = [request(workers, lambda: opened.wait(30)) for _ in range(THREADS)]
        codes = await asyncio.gather(*map(code, held))
        assert codes == [grpc.StatusCode.DEADLINE_EXCEEDED] * THREADS
        # The next one has a place, and leaves it without having had a thread.
        assert await code(request(workers, ran.append, 0)) == grpc.StatusCode.DEADLINE_EXCEEDED
        assert ran == []
        opened.set()
        workers._limits = Limits()
        assert await request(workers, lambda: "again") == "again"
        workers.close()

    asyncio.run(main())


def test_who_waits_for_a_thread_is_known_to_those_that_run():
    opened = threading.Event()

    async def main():
        workers = Workers(Limits())
        assert await workers.run(workers.wanted) is False
        held = [asyncio.create_task(request(workers, opened.wait, 30)) for _ in range(THREADS)]
        await settled(held)
        assert not workers.wanted()
        given_up, later = (asyncio.create_task(request(workers, bool)) for _ in range(2))
        await settled([given_up, later])
        assert workers.wanted()
        given_up.cancel()
        opened.set()
        assert await later is False
        assert not workers.wanted()
        await asyncio.gather(*held)
        workers.close()

    asyncio.run(main())


def test_failures_come_through_and_free_the_thread():
    def failing():
        raise RequestError(grpc.StatusCode.OUT_OF_RANGE, "no")

    async def main():
        workers = Workers(Limits(requests=1))
        for _ in range(2 * THREADS):
            assert await code(request(workers, failing)) == grpc.StatusCode.OUT_OF_RANGE
        workers.close()

    asyncio.run(main())


def test_a_time_out_of_the_function_is_not_the_servers():
    def failing():
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
            assert await code(request(workers, lambda: 0)) == grpc.StatusCode.UNAVAILABLE
            assert await workers.run(lambda: "kept") == "kept"
        workers.close()

    asyncio.run(main())
