"""Runs the embedded server: its ports, its one event loop, its way out."""

import asyncio
import functools
import gc
import logging
import signal
import socket
import sys
import threading
import time

from gan_keras.errors import UserError
from gan_keras.serving import reports
from gan_keras.serving.limits import Limits

# How long the event loop may keep the interpreter from a thread whose batch is done. Python's own
# 5 ms are longer than a batch takes.
SWITCH_SECONDS = 0.0005
DRAIN_SECONDS = 10.0  # that open requests have to finish
HANG_SECONDS = 2.0  # that threads which may hang have, after that
DEFAULT_LIMITS = Limits()
OWN_THREADS = ("loader", "predict")  # how the names of threads in models.py, workers.py begin
AIOHTTP = "gan_keras.serving.aiohttp"  # the name of aiohttp's logger

logger = logging.getLogger(__name__)


class Listener:
    """A bound port; its text is the address, which outlives the socket."""

    def __init__(self, bound: socket.socket):
        self.socket = bound
        host, port = bound.getsockname()[:2]
        self._where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def __str__(self):
        return self._where


def reserve(address, port, flag):
    """Takes a TCP port; None for port 0, which means off.

    Args:
        address: Host name or IP address of this machine.
        port: The port's number.
        flag: The port's flag, for the message.

    Raises:
        UserError: the port cannot be had.
    """
    if not port:
        return None
    try:
        family, kind, protocol, _, name = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UserError(f"--address={address}: not an address of this machine: {error}") from None
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(name)
    except OSError as error:
        taken.close()
        raise UserError(
            f"--{flag}={port} on --address={address}: {error.strerror};"
            f" end the other server or give another --{flag}"
        ) from None
    return Listener(taken)


def run(*arguments, **options):
    """Calls `serve` until SIGTERM or SIGINT comes; a second one ends the process at once.

    Returns:
        The names of threads that hang, in a load from a dead disk say. The process cannot end
        by itself then: `os._exit` is left.
    """

    async def main():
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def stopped():
            for each in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(each)
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped)
        await serve(*arguments, stop=stop, **options)

    # What is here stays, above all TensorFlow's modules: looking through them for garbage would
    # hold up every request for 200 ms.
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_SECONDS)
    asyncio.run(main())
    end = time.monotonic() + HANG_SECONDS
    hanging = [each for each in threading.enumerate() if each.name.startswith(OWN_THREADS)]
    for thread in hanging:
        thread.join(max(0.0, end - time.monotonic()))
    return [thread.name for thread in hanging if thread.is_alive()]


async def serve(
    settings,
    grpc_at,
    rest_at,
    poll_seconds,
    stop,
    limits=DEFAULT_LIMITS,
    allow_unavailable_labels=False,
    allow_foreign_models=False,
    config_file=None,
    config_seconds=0,
    page=True,
    access=None,
):
    """Loads the models, then answers until `stop` is set; logs what it does.

    Args:
        settings: The ModelSettings of all models.
        grpc_at: Listener for gRPC; None for no gRPC.
        rest_at: Listener for REST; None for no REST.
        poll_seconds: Between two looks at the models' folders; 0 for no second look.
        stop: The asyncio.Event that ends it; open requests are answered first, for at most
            DRAIN_SECONDS, while new ones are refused.
        limits: The Limits; connections beyond the process's descriptors are left off.
        allow_unavailable_labels: Accept labels of versions that are not loaded.
        allow_foreign_models: Load signatures that this package does not make.
        config_file: The --model_config_file that the settings come from, to be read again.
        config_seconds: Between two looks at it; 0 for no second look.
        page: Serve a page to look at, at `/` of the REST port.
        access: The Access; None for everybody's, unencrypted.

    Raises:
        UserError: there is nothing to serve, or a port was taken meanwhile.
    """
    from gan_keras.serving import edited_config
    from gan_keras.serving.access import Access
    from gan_keras.serving.batches import Batches
    from gan_keras.serving.counters import Counters
    from gan_keras.serving.models import Models
    from gan_keras.serving.workers import Workers

    asyncio.get_running_loop().set_exception_handler(reports.loop_failure)
    limits = limits.fitted()
    models = Models(settings, limits, allow_foreign_models)
    workers, drains = Workers(limits), []
    counters, access = Counters(models.names), access or Access()
    batches = Batches(workers)
    try:
        if not await _unless(stop, models.load(allow_unavailable_labels)):
            return
        if grpc_at:
            drains.append(await _grpc(models, workers, batches, limits, grpc_at, counters, access))
            logger.info("gRPC on %s", grpc_at)
        if rest_at:
            drains.append(
                await _rest(models, workers, batches, limits, rest_at, page, counters, access)
            )
            scheme = "https" if access.certificate else "http"
            logger.info("REST on %s://%s", scheme, rest_at)
        logger.info("next: %s", _next_command(settings[0].name, grpc_at, rest_at, access))
        follow = [models.keep_up(poll_seconds)] if poll_seconds else []
        if config_file and config_seconds:
            follow.append(
                edited_config.follow(config_file, config_seconds, models, allow_unavailable_labels)
            )
        await _unless(stop, asyncio.gather(stop.wait(), *follow))
        logger.info("stopping: open requests are answered first")
    finally:
        workers.stop()
        # At the same time, or the second protocol would go on taking requests meanwhile.
        await asyncio.gather(*(drain() for drain in drains))
        workers.close()
        models.close()  # or what still runs would keep the process from ending


async def _unless(stop, work):
    """Awaits `work` and returns True, or cancels it when `stop` is set and returns False."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return True
        return False
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def _grpc(models, workers, batches, limits, listener, counters, access):
    """Starts gRPC; returns what drains it."""
    from gan_keras.serving import grpc_service

    server = grpc_service.server(models, workers, batches, limits, counters, access)
    listener.socket.close()  # gRPC opens its own
    try:
        if credentials := access.credentials():
            server.add_secure_port(str(listener), credentials)
        else:
            server.add_insecure_port(str(listener))
    except RuntimeError as error:
        raise _taken("port", listener, error) from None
    await server.start()
    return functools.partial(server.stop, DRAIN_SECONDS)


def _taken(flag, listener, why):
    """A UserError of a port that another process took after it was reserved."""
    return UserError(f"--{flag}: {listener}: {why}; end the other server or give another --{flag}")


async def _rest(models, workers, batches, limits, listener, page, counters, access):
    """Starts REST; returns what drains it."""
    from aiohttp import web

    from gan_keras.serving import rest
    from gan_keras.serving.connections import Connections

    # `rest` logs the server's own failures; what aiohttp would add are traces of mistakes that
    # callers make, such as a body that is not in the encoding that its header names.
    quiet = logging.getLogger(AIOHTTP)
    quiet.setLevel(logging.CRITICAL)
    connections = Connections(limits)
    runner = web.AppRunner(
        rest.application(models, workers, batches, limits, connections, page, counters, access),
        access_log=None,
        logger=quiet,
        keepalive_timeout=limits.body_seconds,  # for the headers of each request too
        shutdown_timeout=DRAIN_SECONDS,
        # Who has hung up needs no picture; who closes the sending side alone looks the same.
        handler_cancellation=True,
    )
    await runner.setup()
    try:
        accepting = await connections.listen(listener.socket, runner.server, access.context)
    except OSError as error:
        await runner.cleanup()
        raise _taken("rest_api_port", listener, error.strerror) from None
    watching = asyncio.ensure_future(connections.watch())

    async def drain():
        accepting.close()
        await runner.cleanup()
        watching.cancel()

    return drain


def _next_command(name, grpc_at, rest_at, access):
    """The command that asks this server for pictures."""
    from gan_keras.exporting import contract

    # A wildcard address is none that one can ask.
    where = str(grpc_at or rest_at).replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")
    command = f"gan-keras-sample --server={where}"
    if not grpc_at:
        command += " --transport=rest"
    if access.certificate:
        command += " --tls"
    if access.interceptors():
        command += " --token_file=FILE"
    return command if name == contract.MODEL_NAME else f"{command} --model={name}"
