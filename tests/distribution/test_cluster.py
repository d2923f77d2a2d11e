"""Workers that find each other, and one line where they do not."""

import contextlib
import hashlib
import json
import re
import socket
import threading

import pytest

from gan_keras.distribution import cluster
from gan_keras.errors import UsageError, UserError
from tests.ports import held_ports


@pytest.fixture
def addresses():
    def make(count):
        return [f"127.0.0.1:{port}" for port in held_ports(count)]

    return make


def of(addresses, rank):
    return cluster.Cluster(
        tuple(f"worker {i}" for i in range(len(addresses))), tuple(addresses), rank
    )


def read(monkeypatch, jobs, task):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": jobs, "task": task}))
    return cluster.from_environment()


def test_the_chief_is_first_and_workers_follow(monkeypatch):
    jobs = {"worker": ["b:1", "c:2"], "chief": ["a:3"]}
    found = read(monkeypatch, jobs, {"type": "worker", "index": 1})
    assert found.names == ("chief 0", "worker 0", "worker 1")
    assert found.addresses == ("a:3", "b:1", "c:2")
    assert found.rank == 2
    assert found.others == [0, 1]
    assert found.title(0) == "chief 0 (a:3)"


WORKERS = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(
    ("jobs", "task", "named"),
    [
        (WORKERS, {"type": "worker", "index": 2}, "worker 2, which the cluster does not name"),
        (WORKERS, {"type": "worker", "index": -1}, "worker -1"),
        (WORKERS, {"type": "worker", "index": "0"}, "worker 0"),
        (WORKERS, {"type": "chief", "index": 0}, "choose from worker 0, worker 1"),
        (WORKERS | {"ps": ["c:1"]}, {"type": "worker", "index": 0}, "'ps' takes no part"),
        ({"worker": ["a:1", "a:1"]}, {"type": "worker", "index": 0}, "a:1 stands there twice"),
        ({"worker": ["a"]}, {"type": "worker", "index": 0}, "'a' is no address"),
        ({"worker": ["a:b"]}, {"type": "worker", "index": 0}, "'a:b' is no address"),
        ({"worker": [7]}, {"type": "worker", "index": 0}, "7 is no address"),
        ({"worker": ["a:65536"]}, {"type": "worker", "index": 0}, "write host:port"),
        (WORKERS | {"chief": ["c:1", "d:1"]}, {"type": "worker", "index": 0}, "several chiefs"),
        ({"worker": "a:1"}, {"type": "worker", "index": 0}, "needs a JSON object"),
        ([], {"type": "worker", "index": 0}, "needs a JSON object"),
    ],
)
def test_a_cluster_that_cannot_be_is_one_line(jobs, task, named, monkeypatch):
    with pytest.raises(UsageError, match=re.escape(named)) as caught:
        read(monkeypatch, jobs, task)
    assert str(caught.value).startswith("TF_CONFIG")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [2, 3])
def test_all_meet_and_nobody_passes_without_the_last(count, addresses):
    found, met = addresses(count), []

    def meet(rank):
        cluster.meet(of(found, rank), 60)
        met.append(rank)

    threads = [threading.Thread(target=meet, args=[rank]) for rank in range(count - 1)]
    for thread in threads:
        thread.start()
    # The last one comes when the others are at their doors.
    while cluster.silent(of(found, count - 1)):
        pass
    assert met == []
    meet(count - 1)
    for thread in threads:
        thread.join(60)
    assert sorted(met) == list(range(count))


def test_who_does_not_answer_is_named(addresses):
    found = addresses(3)
    with pytest.raises(UserError) as caught:
        cluster.meet(of(found, 1), 0.5)
    message = str(caught.value)
    assert f"worker 0 ({found[0]}), worker 2 ({found[2]})" in message
    assert found[1] not in message
    assert message.startswith("--cluster_timeout=0.5: ")
    assert "\n" not in message


def test_who_is_awaited_is_told_meanwhile(addresses, monkeypatch, caplog):
    monkeypatch.setattr(cluster, "REPORT_SECONDS", 0.0)
    caplog.set_level("INFO", "gan_keras")
    found = addresses(2)
    with pytest.raises(UserError):
        cluster.meet(of(found, 0), 0.5)
    said = caplog.messages
    assert said
    assert all(line.startswith(f"waiting for worker 1 ({found[1]}), ") for line in said)


def test_a_port_that_is_taken_is_named(addresses):
    with socket.create_server(("", 0)) as holder:
        found = [f"127.0.0.1:{holder.getsockname()[1]}", *addresses(1)]
        with pytest.raises(UserError, match=f"{found[0]}, which is this process: in use"):
            cluster.meet(of(found, 0), 5)


def greet(address, greeting):
    host, port = address.split(":")
    # Its listener is up only once `meet` runs.
    while True:
        try:
            with socket.create_connection((host, int(port)), 5) as line:
                return line.sendall(greeting)
        except ConnectionRefusedError:
            continue


def proven(greeting, secret):
    """With the proof of a secret, by RFC 2104's own formula."""
    said = json.dumps([greeting["rank"], greeting["addresses"]]).encode()
    key = secret.ljust(64, b"\0")
    inner, outer = (bytes(byte ^ mask for byte in key) for mask in (0x36, 0x5C))
    inside = hashlib.sha256(inner + said).digest()
    return {**greeting, "proof": hashlib.sha256(outer + inside).hexdigest()}


@pytest.mark.parametrize(
    ("rank", "others", "message"),
    [
        (0, None, "another process is worker 0 too"),
        (1, ["x:1", "y:1"], "another process has the cluster x:1, y:1"),
        (2, None, "another process is worker 2, of which there is none"),
    ],
)
def test_who_proves_the_secret_and_does_not_agree_ends_it(
    rank, others, message, addresses, monkeypatch
):
    monkeypatch.setenv(cluster.SECRET, "a secret")
    found = addresses(2)
    greeting = proven({"rank": rank, "addresses": others or found}, b"a secret")
    greeting = json.dumps(greeting).encode()
    thread = threading.Thread(target=greet, args=[found[0], greeting])
    thread.start()
    with pytest.raises(UsageError, match=message):
        cluster.meet(of(found, 0), 30)
    thread.join()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "is no greeting"),
        (b'{"rank": 1, "addresses": ["x"]}', "another process has the cluster x, this one"),
        (b'{"rank": 1, "addresses": "x"}', "is no greeting"),
        (b'{"rank": [], "addresses": ["x"]}', "is no greeting"),
        (b'{"rank": 1, "addresses": null}', "is no greeting"),
        (b'{"a":' * 10_000, "is no greeting"),
        (b'{"rank": 0, "addresses": [OURS]}', "another process is worker 0 too"),
        (b'{"rank": 7, "addresses": [OURS]}', "another process is worker 7, of which"),
        (b'{"rank": true, "addresses": [OURS]}', "is no greeting"),
    ],
)
def test_strangers_at_the_port_are_no_workers(addresses, caplog, said, told):
    """They end nothing, and are told of once, however often they come."""
    found, heard = addresses(2), threading.Event()
    said = said.replace(b"OURS", ", ".join(f'"{address}"' for address in found).encode())

    def strangers():
        for _ in range(3):
            greet(found[0], said)
        heard.set()

    results = []

    def meet(rank):
        results.append(cluster.meet(of(found, rank), 60))

    threads = [threading.Thread(target=target) for target in (strangers, lambda: meet(0))]
    for thread in threads:
        thread.start()
    heard.wait(60)
    meet(1)
    for thread in threads:
        thread.join(60)
    assert results == [None, None]
    (line,) = {message for message in caplog.messages if "stranger" in message}
    assert line.startswith("ignored a stranger from 127.0.0.1: ")
    assert told in line
    assert len(caplog.messages) <= 2  # One for each who was there to hear it.


@pytest.mark.parametrize("proof", [None, 1, "0" * 64, "other"])
def test_who_does_not_know_the_secret_is_a_stranger(addresses, monkeypatch, caplog, proof):
    monkeypatch.setenv(cluster.SECRET, "a secret")
    found = addresses(2)
    greeting = {"rank": 1, "addresses": found}
    greeting = proven(greeting, b"another") if proof == "other" else greeting | {"proof": proof}
    with pytest.raises(cluster._Stranger, match="does not know the secret of GAN_KERAS_CLUSTER"):
        cluster._understood(of(found, 0), json.dumps(greeting).encode())


def test_who_drips_holds_nobody_up(addresses, monkeypatch):
    """The time of reading is for all that somebody says, not for each byte of it."""
    now = [0.0]
    monkeypatch.setattr(cluster.time, "monotonic", lambda: now[0])

    class Line:
        read = 0

        def settimeout(self, seconds):
            assert seconds <= cluster.DIAL_SECONDS - now[0]

        def recv(self, size):
            now[0] += 0.9 * cluster.DIAL_SECONDS
            self.read += 1
            return b"{"

    line = Line()
    assert cluster._read(line) == b"{{"
    assert line.read == 2


@pytest.mark.parametrize("here", [True, False], ids=["all", "one missing"])
def test_who_never_stops_calling_keeps_nobody_from_meeting(here, addresses):
    """As TensorFlow's server does at workers that have not met all yet: it holds its lines open."""
    found, over = addresses(2), threading.Event()
    lines = []

    def call():
        host, port = found[0].split(":")
        while not over.is_set():
            with contextlib.suppress(OSError):
                lines.append(socket.create_connection((host, int(port)), 5))
                lines[-1].sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                lines[-1].recv(1)  # Until it is shown the door.

    results = []

    def meet(rank, timeout):
        try:
            results.append(cluster.meet(of(found, rank), timeout))
        except UserError as error:
            results.append(str(error))

    ranks, timeout = ([0, 1], 60) if here else ([0], 1.0)
    threads = [threading.Thread(target=call) for _ in range(2)]
    threads += [threading.Thread(target=meet, args=[rank, timeout]) for rank in ranks]
    for thread in threads:
        thread.daemon = True  # One that hangs fails below, and holds nothing up.
        thread.start()
    for thread in threads[2:]:
        thread.join(60)
    over.set()
    for thread in threads[:2]:
        thread.join(60)
    for line in lines:
        line.close()
    if here:
        assert results == [None, None]
    else:
        assert ["no answer from worker 1" in result for result in results] == [True]


def test_silent_are_those_whose_port_is_closed(addresses):
    with socket.create_server(("127.0.0.1", 0)) as alive:
        found = [*addresses(2), f"127.0.0.1:{alive.getsockname()[1]}"]
        assert cluster.silent(of(found, 0)) == [1]
