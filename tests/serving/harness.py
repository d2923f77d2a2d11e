"""Tiny models, written once, and the embedded server in a thread of the test's own process."""

import asyncio
import contextlib
import json
import logging
import queue
import shutil
import socket
import threading
import time
from types import SimpleNamespace

import grpc
import urllib3
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from gan_keras.exporting import contract
from gan_keras.serving import server
from gan_keras.serving.settings import ModelSettings

LATENT_DIM = 4
HEIGHT, WIDTH, CHANNELS = 6, 5, 3
DEADLINE = 120  # seconds; only a test that fails waits for so long


def save_generator(folder, scale=1.0, walking=False):
    """Writes a SavedModel of a generator; with the signature from seeds to latents if wanted."""
    import tensorflow as tf

    class Generator(tf.Module):
        def __init__(self):
            self.weights = tf.Variable(
                tf.random.stateless_normal((LATENT_DIM, HEIGHT * WIDTH * CHANNELS), (1, 2)) * scale
            )

        def images(self, latents):
            pixels = tf.tanh(tf.matmul(latents, self.weights))
            return tf.reshape(pixels, (-1, HEIGHT, WIDTH, CHANNELS))

        def latents(self, seed):
            return tf.map_fn(
                lambda one: tf.random.stateless_normal((LATENT_DIM,), tf.stack([one, 0])),
                seed,
                fn_output_signature=tf.float32,
            )

        def bytes(self, seed):
            return tf.cast(tf.round((self.images(self.latents(seed)) + 1) * 127.5), tf.uint8)

        @tf.function
        def from_seed(self, seed):
            return {contract.LATENTS: self.latents(seed)}

        @tf.function
        def from_latents(self, latents):
            return {contract.IMAGES: self.images(latents)}

        @tf.function
        def sample(self, seed):
            return {contract.IMAGES: self.bytes(seed)}

        @tf.function
        def png(self, seed):
            encoded = tf.map_fn(
                tf.image.encode_png, self.bytes(seed), fn_output_signature=tf.string
            )
            return {contract.PNG_BYTES: encoded}

    generator = Generator()
    seed = tf.TensorSpec([None], tf.int64, name=contract.SEED)
    latents = tf.TensorSpec([None, LATENT_DIM], tf.float32, name=contract.LATENTS)
    signatures = {
        contract.LATENTS_SIGNATURE: generator.from_latents.get_concrete_function(latents),
        contract.SAMPLE_SIGNATURE: generator.sample.get_concrete_function(seed),
        contract.PNG_SIGNATURE: generator.png.get_concrete_function(seed),
    }
    if walking:
        signatures[contract.SEED_LATENTS_SIGNATURE] = generator.from_seed.get_concrete_function(
            seed
        )
    tf.saved_model.save(generator, str(folder), signatures=signatures)


def save_oddities(folder):
    """Writes a SavedModel of what a generator does not have: names, types and failures."""
    import tensorflow as tf

    def spec(name, dtype, *shape):
        return tf.TensorSpec([None, *shape], dtype, name=name)

    class Oddities(tf.Module):
        @tf.function(input_signature=[spec("a", tf.float32, 2), spec("b", tf.int32)])
        def mix(self, a, b):
            total = tf.reduce_sum(a, axis=1) + tf.cast(b, tf.float32)
            return {"total": total, "twice": 2 * b}

        @tf.function(input_signature=[spec("text", tf.string)])
        def text(self, text):
            return {"text": tf.strings.join([text, "!"]), "same_bytes": text}

        @tf.function(input_signature=[spec("raw", tf.string)])
        def raw(self, raw):
            return {"raw": raw}

        @tf.function(input_signature=[spec("raw", tf.string)])
        def join(self, raw):
            return {"joined": tf.strings.reduce_join(raw)}

        @tf.function(input_signature=[spec("flag", tf.bool)])
        def negate(self, flag):
            return {"flag": tf.logical_not(flag)}

        @tf.function(input_signature=[spec("x", tf.float32)])
        def logarithm(self, x):
            return {"y": tf.math.log(x)}

        @tf.function(input_signature=[spec("x", tf.int64)])
        def small(self, x):
            check = tf.debugging.assert_less(x, tf.constant(10, tf.int64), message="x is too large")
            with tf.control_dependencies([check]):
                return {"x": tf.identity(x)}

        @tf.function(input_signature=[spec("x", tf.int64)])
        def total(self, x):
            return {"total": tf.reduce_sum(x)}

        @tf.function(input_signature=[spec("turns", tf.int64)])
        def spin(self, turns):
            done = tf.while_loop(
                lambda turn: tf.reduce_any(turn < turns), lambda turn: [turn + 1], [turns * 0]
            )
            return {"turns": done[0]}

        @tf.function(input_signature=[spec("wide", tf.int64, None)])
        def wide(self, wide):
            return {"rows": wide[:, 0]}

    odd = Oddities()
    names = ("mix", "spin", "wide", "text", "raw", "join", "negate", "logarithm", "small", "total")
    tf.saved_model.save(odd, str(folder), signatures={name: getattr(odd, name) for name in names})


def settings(base, **more):
    """Of the one model that most tests serve."""
    return ModelSettings(contract.MODEL_NAME, base, **more)


def states(served):
    """{version: state} as REST tells it."""
    status, answer = served.ask("GET", "/v1/models/generator")
    assert status == 200
    return {int(one["version"]): one["state"] for one in answer["model_version_status"]}


def place(source, base_path, version):
    """Copies a version into place as the exporter does: it appears whole."""
    base_path.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, base_path / f"copying-{version}")
    return (base_path / f"copying-{version}").rename(base_path / str(version))


def until(what):
    """Returns the first true value of `what()`; fails at the deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {DEADLINE} s: {what}")


def listener():
    """A port that the operating system chose."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return server.Listener(taken)


@contextlib.contextmanager
def serving(*settings, poll_seconds=0.02, ports=("grpc", "rest"), **options):
    """Runs the server for the models; yields how to speak to it and what it said."""
    grpc_at, rest_at = listener(), listener()
    grpc_where, rest_where = str(grpc_at), str(rest_at)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    said, complaints, ended = queue.Queue(), [], []
    lines = []

    class Said(logging.Handler):
        def emit(self, record):
            if record.thread != thread.ident:  # of another server
                return
            line = record.getMessage()
            (complaints if record.levelno >= logging.WARNING else lines).append(line)
            if line.startswith("next: "):
                said.put(True)

    logger, handler = logging.getLogger("gan_keras.serving"), Said()
    options = {"allow_foreign_models": True, **options}

    def main():
        try:
            loop.run_until_complete(
                server.serve(
                    settings,
                    grpc_at if "grpc" in ports else None,
                    rest_at if "rest" in ports else None,
                    poll_seconds,
                    stop,
                    **options,
                )
            )
        except BaseException as error:
            ended.append(error)
        finally:
            said.put(False)
            loop.close()

    thread = threading.Thread(target=main)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    thread.start()
    if not said.get(timeout=DEADLINE):
        thread.join()
        logger.removeHandler(handler)
        raise ended[0]
    pool = urllib3.connection_from_url(f"http://{rest_where}", maxsize=8, retries=False)
    channel = grpc.insecure_channel(
        grpc_where, options=[("grpc.max_receive_message_length", 64 * 2**20)]
    )

    def ask(method, path, body=None, **more):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        answer = pool.request(method, path, body=body, timeout=DEADLINE, **more)
        assert answer.headers["Content-Type"].startswith("application/json")

        def refuse(token):
            raise AssertionError(f"{token} is not JSON")

        return answer.status, json.loads(answer.data, parse_constant=refuse)

    def end():
        with contextlib.suppress(RuntimeError):  # it has ended
            loop.call_soon_threadsafe(stop.set)

    try:
        yield SimpleNamespace(
            ask=ask,
            predict=prediction_service_pb2_grpc.PredictionServiceStub(channel),
            status=model_service_pb2_grpc.ModelServiceStub(channel),
            rest=rest_where,
            grpc=grpc_where,
            lines=lines,
            complaints=complaints,
            end=end,
            thread=thread,
        )
    finally:
        channel.close()
        pool.close()
        end()
        thread.join(DEADLINE)
        assert not thread.is_alive()
        logger.removeHandler(handler)
        if ended:
            raise ended[0]
