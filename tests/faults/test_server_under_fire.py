"""The embedded server for a minute under 64 clients, and under 100,000 broken requests.

GAN_KERAS_FIRE_SECONDS and GAN_KERAS_BROKEN_REQUESTS ask for other numbers.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from gan_keras.exporting import saved_model as exporting
from gan_keras.serving.servable import Servable
from tests.serving import fire, fuzz, harness

pytestmark = pytest.mark.faults

CLIENTS, WARM_UP_SWAPS = 64, 4
SECONDS = float(os.environ.get("GAN_KERAS_FIRE_SECONDS", "60"))
# A leak of one request in ten thousand's body would pass; one of a version (its weights and
# graph, some MiB) at every swap, or of a KiB at every request, would not.
MOST_GROWTH = 64 * 2**20  # bytes
# Of each of 2 protocols and 2 models.
EXAMPLES = int(os.environ.get("GAN_KERAS_BROKEN_REQUESTS", "100000")) // 4

COMMAND = "import sys; from gan_keras.cli.serve import run; sys.exit(run())"


def resident(pid):
    """Bytes of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def free_address():
    taken = harness.listener()
    taken.socket.close()
    return str(taken)


def test_a_minute_under_fire(small_run, exported, tmp_path):
    other = exporting.export(small_run, tmp_path / "other", temperature=0.5)
    folders = [Path(exported), Path(other)]
    expected = fire.pictures(folders)
    versions = fire.Versions(folders, tmp_path / "generator")
    versions.publish()
    grpc_at, rest_at = free_address(), free_address()
    ports = [f"--port={grpc_at.split(':')[1]}", f"--rest_api_port={rest_at.split(':')[1]}"]
    errors = tmp_path / "errors.txt"
    with errors.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, f"--model_base_path={versions.base}", *ports],
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        for line in process.stdout:
            if line.startswith("next: "):
                break
        over = []

        def told(number):
            return f" version {number}: " in errors.read_text()

        arguments = rest_at, grpc_at, versions, expected
        with fire.clients(CLIENTS, lambda client: not over, *arguments) as clients:
            try:
                for number in range(WARM_UP_SWAPS):
                    fire.swap(versions, fire.BREAKAGES[number], told)
                warm, swaps = resident(process.pid), 0
                begun, end = sum(c.answered for c in clients), time.monotonic() + SECONDS
                while time.monotonic() < end:
                    fire.swap(versions, fire.BREAKAGES[swaps % len(fire.BREAKAGES)], told)
                    swaps += 1
                grown = resident(process.pid) - warm
            finally:
                over.append(True)
        answered = sum(client.answered for client in clients) - begun
        print(f"{answered} requests, {swaps} swaps, {grown / 2**20:+.1f} MiB of {warm / 2**20:.0f}")
        assert grown < MOST_GROWTH
        process.send_signal(signal.SIGTERM)
        assert process.wait(harness.DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    # What the operator reads are the broken versions, and nothing of the requests.
    for line in errors.read_text().splitlines():
        assert "cannot be loaded: " in line


@pytest.fixture(scope="module", params=["generator", "odd"])
def servable(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / request.param
    save = harness.save_generator if request.param == "generator" else harness.save_oddities
    save(folder)
    return Servable(request.param, 1, folder)


LONG = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_rest_bodies(servable):
    LONG(given(fuzz.BODIES)(lambda body: fuzz.ask_rest(servable, body)))()


def test_grpc_messages(servable):
    LONG(given(fuzz.MESSAGES)(lambda raw: fuzz.ask_grpc(servable, raw)))()
