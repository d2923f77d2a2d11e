"""Honest clients beside hostile ones, one attack after the other, at `ulimit -n 1024`.

GAN_KERAS_SOAK_SECONDS asks for another time than ten minutes, all attacks together.
"""

import dataclasses
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
import urllib3
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from gan_keras.exporting import contract
from tests.faults import attacks
from tests.serving import fire, harness

SECONDS = float(os.environ.get("GAN_KERAS_SOAK_SECONDS", "600"))
pytestmark = [pytest.mark.faults, pytest.mark.timeout(2 * SECONDS + 300)]

COMMAND = "import sys; from gan_keras.cli.serve import run; sys.exit(run())"
DESCRIPTORS = 1024
IN_TIME = 10.0  # seconds for one honest answer; a machine of two cores does all of this at once
SHARE = 0.99  # of the honest requests
# 128 MiB of bodies that are on their way, 96 for the one that is parsed, and 135 of replies that
# 512 clients do not read.
MOST_GROWTH = 360 * 2**20  # bytes
MOST_LOG = 10**6  # bytes


@dataclasses.dataclass
class Honest:
    """One client that asks for a picture, looks at it, and asks again a little later.

    Args:
        where: The address of the protocol.
        kept: Whether it keeps its connection, or makes a new one each time.
        expected: The pixels of each seed.
    """

    where: str
    kept: bool
    expected: np.ndarray
    asked: int = 0
    answered: int = 0
    slowest: float = 0.0
    failures: list = dataclasses.field(default_factory=list)
    _open: object = None

    def work(self, over):
        while not over.wait(0.2):
            seed, begun = self.asked % fire.SEEDS, time.monotonic()
            self.asked += 1
            try:
                self._open = self._open or self.connect()
                picture = self.ask(self._open, seed)
                assert np.array_equal(picture, self.expected[seed]), f"wrong picture of {seed}"
                self.answered += 1
            except Exception as error:
                self.failures.append(" ".join(str(error).split())[:300])
            self.slowest = max(self.slowest, time.monotonic() - begun)
            if not self.kept:
                self.close()
        self.close()

    def close(self):
        if self._open:
            self._open.close()
        self._open = None


class Rest(Honest):
    def connect(self):
        return urllib3.HTTPConnectionPool(*self.where.split(":"), maxsize=1, retries=False)

    def ask(self, pool, seed):
        body = {"signature_name": contract.SAMPLE_SIGNATURE, "instances": [seed]}
        answer = pool.request("POST", fire.PREDICT, json=body, timeout=IN_TIME)
        assert answer.status == 200, answer.data
        return np.array(json.loads(answer.data)["predictions"][0], np.uint8)


class Grpc(Honest):
    def connect(self):
        return grpc.insecure_channel(self.where, options=[("grpc.use_local_subchannel_pool", 1)])

    def ask(self, channel, seed):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = contract.MODEL_NAME
        request.model_spec.signature_name = contract.SAMPLE_SIGNATURE
        request.inputs[contract.SEED].CopyFrom(tf.make_tensor_proto([seed], tf.int64))
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(request, timeout=IN_TIME, wait_for_ready=True)
        return tf.make_ndarray(answer.outputs[contract.IMAGES])[0]


class Server:
    """`gan-keras-serve` with few descriptors, its memory and its log."""

    def __init__(self, base_path, log):
        taken = [harness.listener() for _ in range(2)]
        self.grpc, self.rest = map(str, taken)
        for each in taken:
            each.socket.close()
        ports = [f"--{flag}={where.split(':')[1]}" for flag, where in self.addresses()]
        self.log = log
        limited = f'ulimit -n {DESCRIPTORS} && exec "$@"'
        command = [sys.executable, "-c", COMMAND, f"--model_base_path={base_path}", *ports]
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                ["sh", "-c", limited, "sh", *command], stdout=stream, stderr=stream
            )
        harness.until(lambda: "next: " in log.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, log.read_text()

    def addresses(self):
        return ("port", self.grpc), ("rest_api_port", self.rest)

    def memory(self, field="VmHWM"):
        """Bytes: the most since the peak was forgotten (VmHWM), or now (VmRSS)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) * 1024

    def forget_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


@pytest.fixture
def server(exported, tmp_path):
    running = Server(exported.parent, tmp_path / "log")
    yield running
    running.process.terminate()
    try:
        assert running.process.wait(harness.DEADLINE) == 0
    finally:
        running.process.kill()
        running.process.wait()


def attack(name, server, seconds):
    """Returns what an attack saw."""
    command = [sys.executable, "-m", attacks.__name__, name, server.rest, server.grpc]
    done = subprocess.run([*command, str(seconds)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["opened"]
    return seen


def beside(what, server, expected):
    """Lets honest clients ask while `what()` is called; returns them, and what it returned."""
    honest = [
        Rest(server.rest, True, expected),
        Rest(server.rest, False, expected),
        Grpc(server.grpc, True, expected),
        Grpc(server.grpc, False, expected),
    ]
    over = threading.Event()
    threads = [threading.Thread(target=each.work, args=[over]) for each in honest]
    for thread in threads:
        thread.start()
    try:
        harness.until(lambda: all(each.asked > 1 for each in honest))
        seen = what()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return honest, seen


def test_honest_clients_are_answered_beside_hostile_ones(server, exported, capsys):
    (expected,) = fire.pictures([exported])
    beside(lambda: time.sleep(2), server, expected)  # warm
    warm, wrong = server.memory("VmRSS"), []
    for name in attacks.ATTACKS:
        server.forget_peak()
        honest, seen = beside(
            lambda name=name: attack(name, server, SECONDS / len(attacks.ATTACKS)), server, expected
        )
        asked = sum(each.asked for each in honest)
        answered = sum(each.answered for each in honest)
        grown, logged = server.memory() - warm, server.log.stat().st_size
        with capsys.disabled():
            print(
                f"\n{name}: {answered:,} of {asked:,} answered within {IN_TIME:g} s, the slowest in"
                f" {max(each.slowest for each in honest):.1f} s; {grown / 2**20:+.0f} MiB of"
                f" {warm / 2**20:.0f}; a log of {logged:,} bytes; the attack saw {seen}"
            )
        failures = [line for each in honest for line in each.failures]
        if answered < SHARE * asked:
            wrong.append(f"{name}: {answered} of {asked} answered: {sorted(set(failures))}")
        if grown > MOST_GROWTH or logged > MOST_LOG:
            wrong.append(f"{name}: {grown:,} bytes of memory, {logged:,} of log")
        assert server.process.poll() is None, server.log.read_text()
    assert not wrong, "\n".join(wrong)
