"""Many clients at once, while versions come, go and are broken: what each of them got."""

import base64
import contextlib
import dataclasses
import itertools
import json
import random
import shutil
import threading

import grpc
import numpy as np
import tensorflow as tf
import urllib3
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from gan_keras.exporting import contract
from tests.serving.harness import DEADLINE, place, until

SEEDS = 50  # of the pictures that are asked for
PREDICT = f"/v1/models/{contract.MODEL_NAME}:predict"


def pictures(folders):
    """Returns (model, seed) -> pixels of SavedModels, made without a server."""
    made = []
    for folder in folders:
        sample = tf.saved_model.load(str(folder)).signatures[contract.SAMPLE_SIGNATURE]
        made.append(sample(seed=tf.range(SEEDS, dtype=tf.int64))[contract.IMAGES].numpy())
    for one, other in itertools.combinations(made, 2):
        # Or a wrong picture would not be seen.
        assert (one != other).reshape(SEEDS, -1).any(axis=1).all()
    return made


@dataclasses.dataclass
class Versions:
    """Versions that are put into place, the next one a copy of the next of a few models.

    Version n is model n modulo their number. `seen` is the highest version that has answered,
    `placed` the highest that may: an answer comes from between these two.
    """

    folders: list
    base: object
    seen: int = 0
    placed: int = 0

    def publish(self):
        """Puts the next version into place."""
        self.placed += 1  # before it can be seen
        place(self.folders[self.placed % len(self.folders)], self.base, self.placed)

    def remove_old(self):
        """Deletes what has been replaced."""
        for folder in self.base.iterdir():
            if folder.name.isdigit() and int(folder.name) < self.seen:
                shutil.rmtree(folder)

    def break_one(self, how):
        """Puts a broken folder into place, as the newest version; it can never answer."""
        self.placed += 1
        folder = self.base / str(self.placed)
        if how == "empty":
            folder.mkdir()
        else:
            whole = self.folders[self.placed % len(self.folders)]
            aside = self.base / f"breaking-{self.placed}"
            shutil.copytree(whole, aside)
            graph = aside / "saved_model.pb"
            if how == "cut":
                graph.write_bytes(graph.read_bytes()[:-100])
            elif how == "flipped":
                graph.write_bytes(bytes(255 - byte for byte in graph.read_bytes()))
            else:
                shutil.rmtree(aside / "variables")
            aside.rename(folder)


BREAKAGES = ("empty", "cut", "flipped", "without variables")


class Client:
    """One caller; its requests follow from its number."""

    def __init__(self, number, rest, grpc_at, versions, expected):
        self._random = random.Random(number)
        self._versions, self._expected = versions, expected
        self._over_grpc = number % 2
        self._pool = urllib3.HTTPConnectionPool(*rest.split(":"), maxsize=1, retries=False)
        self._channel = grpc.insecure_channel(
            grpc_at, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self.answered = 0

    def ask(self):
        """Asks once, and asserts that each picture is the one of a version that may answer."""
        seeds = [self._random.randrange(SEEDS) for _ in range(self._random.choice([1, 1, 4, 16]))]
        signature = self._random.choice([contract.SAMPLE_SIGNATURE, contract.PNG_SIGNATURE])
        oldest = self._versions.seen
        if self._over_grpc:
            version, got = self._grpc(signature, seeds)
            self._versions.seen = max(self._versions.seen, version)
            possible = [version]
            assert oldest <= version <= self._versions.placed
        else:
            got = self._rest(signature, seeds)
            possible = range(oldest, self._versions.placed + 1)
        models = {version % len(self._expected) for version in possible}
        # All pictures of an answer come from one version.
        assert any(np.array_equal(got, self._expected[model][seeds]) for model in models)
        self.answered += 1

    def _grpc(self, signature, seeds):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = contract.MODEL_NAME
        request.model_spec.signature_name = signature
        request.inputs[contract.SEED].CopyFrom(tf.make_tensor_proto(seeds, tf.int64))
        answer = self._stub.Predict(request, timeout=DEADLINE)
        ((_, proto),) = answer.outputs.items()
        got = tf.make_ndarray(proto)
        if signature == contract.PNG_SIGNATURE:
            got = _decoded(got)
        return answer.model_spec.version.value, got

    def _rest(self, signature, seeds):
        body = {"signature_name": signature, "instances": seeds}
        answer = self._pool.request("POST", PREDICT, json=body, timeout=DEADLINE)
        assert answer.status == 200, answer.data
        rows = json.loads(answer.data)["predictions"]
        if signature == contract.PNG_SIGNATURE:
            return _decoded(base64.b64decode(row["b64"]) for row in rows)
        return np.array(rows, np.uint8)

    def close(self):
        self._pool.close()
        self._channel.close()


def _decoded(files):
    return np.stack([tf.image.decode_png(file).numpy() for file in files])


@contextlib.contextmanager
def clients(count, go_on, *arguments):
    """Lets clients ask at the same time; yields them, and fails with the first one's failure.

    Args:
        count: How many.
        go_on: Called with a client before each request; false ends it.
        arguments: Of each Client, after its number.
    """
    made = [Client(number, *arguments) for number in range(count)]
    failures, left = [], threading.Event()

    def work(client):
        try:
            while not failures and not left.is_set() and go_on(client):
                client.ask()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[client]) for client in made]
    for thread in threads:
        thread.start()
    try:
        yield made
        for thread in threads:
            thread.join()
    finally:
        left.set()
        for thread in threads:
            thread.join()
        for client in made:
            client.close()
        if failures:
            raise failures[0]


def swap(versions, how, told):
    """Publishes a version, breaks one above it, and deletes what is old, all under load.

    Args:
        versions: The Versions.
        how: One of BREAKAGES.
        told: Called with a number; whether the server has complained of that version.
    """
    versions.publish()
    until(lambda: versions.seen == versions.placed)
    versions.break_one(how)
    until(lambda: told(versions.placed))
    versions.remove_old()
