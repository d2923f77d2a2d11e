"""Requests that wait are joined: what is computed together, what each gets, and who is harmed."""

import asyncio
import os
import threading

import grpc
import numpy as np
import pytest

from gan_keras.exporting import contract
from gan_keras.serving import batches
from gan_keras.serving.batches import LARGE, Batches, padded
from gan_keras.serving.limits import Limits
from gan_keras.serving.request_error import RequestError, invalid
from gan_keras.serving.servable import Servable
from gan_keras.serving.workers import Workers

THREADS = max(4, os.cpu_count() or 1)


class Doubling:
    """A signature that doubles its seeds, once it may; a negative one is bad."""

    def __init__(self, most_rows=64):
        self.inputs, self.most_rows = {"seed": None}, most_rows
        self.opened, self.calls = threading.Event(), []

    def __call__(self, arrays, outputs=()):
        self.calls.append(arrays["seed"].tolist())
        assert self.opened.wait(120)
        if (arrays["seed"] < 0).any():
            raise invalid("a negative seed")
        return {"twice": 2 * arrays["seed"]}


async def settled():
    """Lets every task go as far as it can without a thread's help."""
    for _ in range(50):
        await asyncio.sleep(0)


async def until(what):
    while not what():
        await asyncio.sleep(0.001)


def run(main):
    async def bounded():
        workers = Workers(Limits())
        try:
            async with asyncio.timeout(300):
                await main(Batches(workers))
        finally:
            workers.close()

    asyncio.run(bounded())


def ask(joined, signature, *seeds):
    return asyncio.ensure_future(joined.predict(signature, {"seed": np.array(seeds)}))


async def busy(joined, signature):
    """Lets a request run, until `signature.opened` is set."""
    running = ask(joined, signature, 100)
    await until(lambda: signature.calls)
    return running


@pytest.mark.parametrize(
    ("rows", "size"),
    [(1, 1), (2, 4), (4, 4), (5, 0), (7, 0), (8, 16), (17, 0), (31, 0), (32, 64), (65, 0)],
)
def test_at_least_half_of_a_batch_was_asked_for(rows, size):
    assert padded(rows, contract.ALLOWED_BATCH_SIZES) == size


def test_a_lone_request_runs_at_once_and_as_it_is():
    async def main(joined):
        signature = Doubling()
        signature.opened.set()
        answer = await ask(joined, signature, 1, 2, 3, 4, 5)
        assert answer["twice"].tolist() == [2, 4, 6, 8, 10]
        assert signature.calls == [[1, 2, 3, 4, 5]]

    run(main)


def test_what_waits_is_joined_in_order_and_each_gets_its_own_rows():
    async def main(joined):
        signature = Doubling()
        running = await busy(joined, signature)
        waiting = [ask(joined, signature, 0, 1), *(ask(joined, signature, n) for n in range(2, 10))]
        await settled()
        assert len(signature.calls) == 1
        signature.opened.set()
        answers = await asyncio.gather(*waiting)
        assert [answer["twice"].tolist() for answer in answers] == [
            [0, 2],
            *([2 * n] for n in range(2, 10)),
        ]
        assert signature.calls[1:] == [[*range(10), *[9] * 6]]
        await running

    run(main)


def test_a_batch_is_no_larger_than_one_request_may_be():
    async def main(joined):
        signature = Doubling(most_rows=5)
        await busy(joined, signature)
        waiting = [ask(joined, signature, n) for n in range(6)]
        await settled()
        signature.opened.set()
        await asyncio.gather(*waiting)
        assert signature.calls[1:] == [[0, 1, 2, 3], [4, 5, 5, 5]]

    run(main)


def test_a_large_request_holds_up_no_small_one():
    large, small = Doubling(), Doubling()
    small.opened.set()

    class Both(Doubling):
        def __call__(self, arrays, outputs=()):
            return (large if len(arrays["seed"]) > LARGE else small)(arrays)

    async def main(joined):
        signature = Both()
        held = [ask(joined, signature, *range(n, n + LARGE + 1)) for n in range(2)]
        await until(lambda: len(large.calls) == 2)  # each of them in a thread of its own
        for n in range(4):
            assert (await ask(joined, signature, n))["twice"].tolist() == [2 * n]
        assert not any(each.done() for each in held)
        large.opened.set()
        assert [len(answer["twice"]) for answer in await asyncio.gather(*held)] == [LARGE + 1] * 2

    run(main)


def test_a_bad_row_fails_its_own_request_only():
    async def main(joined):
        signature = Doubling()
        await busy(joined, signature)
        waiting = [ask(joined, signature, n) for n in (1, 2, -3, 4)]
        await settled()
        signature.opened.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(answer) for answer in answers] == [dict, dict, RequestError, dict]
        assert answers[2].code == grpc.StatusCode.INVALID_ARGUMENT
        assert [answers[n]["twice"].tolist() for n in (0, 1, 3)] == [[2], [4], [8]]
        assert signature.calls[1:] == [[1, 2, -3, 4], [1], [2], [-3], [4]]

    run(main)


def test_a_failure_of_the_server_fails_the_batch_and_no_later_one():
    class Failing(Doubling):
        def __call__(self, arrays, outputs=()):
            answer = super().__call__(arrays, outputs)
            if 1 in arrays["seed"]:
                raise RuntimeError("a secret")
            return answer

    async def main(joined):
        signature = Failing()
        await busy(joined, signature)
        waiting = [ask(joined, signature, n) for n in (1, 2)]
        await settled()
        signature.opened.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(answer) for answer in answers] == [RuntimeError] * 2
        assert (await ask(joined, signature, 3))["twice"].tolist() == [6]

    run(main)


def test_who_gives_up_is_not_computed_and_takes_nobody_along():
    async def main(joined):
        signature = Doubling()
        running = await busy(joined, signature)
        given_up, kept = ask(joined, signature, 1), ask(joined, signature, 2)
        await settled()
        given_up.cancel()
        await settled()
        signature.opened.set()
        assert (await kept)["twice"].tolist() == [4]
        assert signature.calls[1:] == [[2]]
        await running

    run(main)


def test_a_line_gives_its_thread_to_whoever_waits_for_one():
    async def main(joined):
        signature, order, opened = Doubling(), [], threading.Event()
        workers = joined._workers
        held = [asyncio.ensure_future(workers.run(opened.wait, 120)) for _ in range(THREADS - 1)]
        running = await busy(joined, signature)
        other = asyncio.ensure_future(workers.run(lambda: order.append(len(signature.calls))))
        later = ask(joined, signature, 1)
        await settled()
        assert workers.wanted()
        signature.opened.set()
        await other
        assert (await later)["twice"].tolist() == [2]
        assert order == [1]  # after the batch that ran, before the one that came first
        opened.set()
        await asyncio.gather(running, *held)

    run(main)


def test_a_server_that_closes_answers_who_waits():
    async def main(joined):
        joined._workers.close()
        with pytest.raises(RuntimeError, match="shutdown"):
            await ask(joined, Doubling(), 1)

    run(main)


def test_a_seed_has_the_same_bytes_alone_and_in_company(exported, monkeypatch):
    """Of an export, through its graph; more rows than a batch has, so that several are needed."""
    servable = Servable(contract.MODEL_NAME, 1, exported)
    sizes, call = [], batches.answers

    def counted(signature, requests, *rest):
        sizes.append(len(requests))
        return call(signature, requests, *rest)

    monkeypatch.setattr(batches, "answers", counted)

    async def main(joined):
        for name, output in (("sample", contract.IMAGES), ("png", contract.PNG_BYTES)):
            signature = servable.signature(name)
            assert signature.joins
            del sizes[:]
            asked = [np.arange(n, n + 1 + n % 3) for n in range(60)]
            answers = await asyncio.gather(
                *(joined.predict(signature, {"seed": seeds}) for seeds in asked)
            )
            assert max(sizes) > 1
            for seeds, answer in zip(asked, answers, strict=True):
                alone = [signature({"seed": seeds[[n]]})[output][0] for n in range(len(seeds))]
                assert [bytes(row) for row in answer[output]] == [bytes(row) for row in alone]

    run(main)


def test_foreign_signatures_are_not_joined(saved):
    """Theirs may mix the rows of a batch, as `total` does."""
    odd = Servable("odd", 1, saved / "odd")
    assert not any(odd.signature(name).joins for name in ("total", "join", "small", "wide"))
    own = Servable(contract.MODEL_NAME, 1, saved / "first")
    assert all(own.signature(name).joins for name in ("serving_default", "sample", "png"))
