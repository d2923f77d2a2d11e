"""Clients that mean harm, with small means: `python -m tests.faults.attacks NAME REST GRPC TIME`.

Each is a process of its own, beside which `test_soak.py` asks honestly. Whatever the server
closes is opened again. At the end a line of JSON tells how often what was seen.
"""

import asyncio
import collections
import contextlib
import gzip
import json
import socket
import sys

PREDICT = "/v1/models/generator:predict"
STREAM = "/tensorflow.serving.PredictionService/Predict"
AGAIN_SECONDS = 1.0  # until a connection that was closed is opened again
UNREAD_SECONDS = 40.0  # that a reply is left unread: longer than the server waits

# 8 KB that were 3 GiB when they were parsed.
BOMB = gzip.compress(b'{"signature_name":"sample","instances":[' + b"[]," * 2_790_000 + b"[]]}")
# The largest reply that a request may ask for.
LARGE = json.dumps({"signature_name": "sample", "instances": [*range(64)]}).encode()


def post(body, length=None, headers=""):
    """A POST; `length` is what it claims of its body."""
    length = len(body) if length is None else length
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n"
    return head.encode() + body


async def bombs(rest, grpc_at, seen):
    """Four gzipped bodies at a time, again and again."""

    async def one():
        while True:
            async with _connected(rest, seen) as (reader, writer):
                writer.write(post(BOMB, headers="Content-Encoding: gzip\r\n"))
                status = await reader.readuntil(b"\r\n")
                seen[status.split()[1].decode()] += 1
            await asyncio.sleep(0.25)

    await asyncio.gather(*(one() for _ in range(4)))


async def headers(rest, grpc_at, seen):
    """Three hundred requests whose bodies do not come: twice the places that there are."""
    await asyncio.gather(*(_hold(rest, post(b"", length=9), seen) for _ in range(300)))


async def streams(rest, grpc_at, seen):
    """256 calls that never send their message, on each of four connections."""
    import grpc

    async def one(stub):
        while True:
            call = stub()
            seen["opened"] += 1
            code = await call.code()
            seen[code.name] += 1
            await asyncio.sleep(AGAIN_SECONDS)

    async with contextlib.AsyncExitStack() as stack:
        tasks = []
        for number in range(4):
            options = [("grpc.use_local_subchannel_pool", 1), ("number", number)]
            channel = grpc.aio.insecure_channel(grpc_at, options=options)
            await stack.enter_async_context(channel)
            tasks += [one(channel.stream_unary(STREAM)) for _ in range(256)]
        await asyncio.gather(*tasks)


async def idle(rest, grpc_at, seen):
    """1,030 connections, half of them to each port: some silent, some amid their headers."""
    sent = [b"", b"POST / HTTP/1.1\r\nHo", b"", post(b"", length=9)]
    await asyncio.gather(
        *(_hold((rest, grpc_at)[n % 2], sent[n // 2 % 4], seen) for n in range(1030))
    )


async def unread(rest, grpc_at, seen):
    """600 clients that ask for much and read nothing.

    Two at a time ask, so that it is what they leave that does harm, and not the computation.
    """
    asking = asyncio.Semaphore(2)

    async def one():
        while True:
            with socket.socket() as client:
                try:
                    async with asking:
                        await _ask(client, rest, post(LARGE))
                    seen["opened"] += 1
                    # That it was closed shows only to who reads what came before.
                    await asyncio.sleep(UNREAD_SECONDS)
                except OSError as error:
                    seen[type(error).__name__] += 1
            await asyncio.sleep(AGAIN_SECONDS)

    await asyncio.gather(*(one() for _ in range(600)))


ATTACKS = {each.__name__: each for each in (bombs, headers, streams, idle, unread)}


@contextlib.asynccontextmanager
async def _connected(where, seen, **options):
    """A connection; counts it, and every way in which it fails."""
    host, port = where.split(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port), **options)
        seen["opened"] += 1
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
    except (OSError, EOFError) as error:
        seen[type(error).__name__] += 1


async def _hold(where, sent, seen):
    """Keeps one connection that has sent these bytes, until it is closed; again and again."""
    while True:
        async with _connected(where, seen) as (reader, writer):
            writer.write(sent)
            while await reader.read(4096):
                pass
        seen["closed"] += 1
        await asyncio.sleep(AGAIN_SECONDS)


async def _ask(client, where, sent):
    """Asks, and waits until the reply begins, of which nothing is read."""
    loop, (host, port) = asyncio.get_running_loop(), where.split(":")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, (host, int(port)))
    await loop.sock_sendall(client, sent)
    begins = asyncio.Event()
    loop.add_reader(client, begins.set)
    try:
        await begins.wait()
    finally:
        loop.remove_reader(client)


async def _main(name, rest, grpc_at, seconds):
    seen = collections.Counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(float(seconds)):
            await ATTACKS[name](rest, grpc_at, seen)
    return dict(seen)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main(*sys.argv[1:]))))
