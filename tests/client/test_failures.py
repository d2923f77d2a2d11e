"""Servers that are busy, slow, missing, or another kind: what is asked again, and what is said."""

from concurrent import futures

import grpc
import pytest
from numpy.testing import assert_array_equal

from gan_keras.client import refusals
from gan_keras.client import transport as sending
from gan_keras.client.client import Client
from gan_keras.errors import UserError
from gan_keras.exporting import contract
from tests.client.fakes import SHORT_PAUSE, Fake, FakeGrpc, FakeRest, picture


@pytest.mark.parametrize("which", [0, 1])
def test_a_busy_server_is_asked_again(fake, client, which):
    fake.failures = [(fake.BUSY[which], "full")] * 3
    assert_array_equal(client.sample(1, 5), [picture(5)])
    assert fake.sizes == [1] * 4


@pytest.mark.parametrize("which", [0, 1])
def test_a_server_that_stays_busy_is_quoted(fake, client, which):
    fake.failures = [(fake.BUSY[which], "the queue is full")] * 9
    with pytest.raises(UserError, match=r"\d over \w+: .*: the queue is full$"):
        client.sample(1)
    assert len(fake.asked) == sending.ATTEMPTS


def test_a_bad_request_is_not_sent_again(fake, client):
    fake.failures = [(fake.BAD, "latents must have\n shape (batch, 5)")]
    with pytest.raises(UserError, match=r": latents must have shape \(batch, 5\)$"):
        client.sample(1)
    assert len(fake.asked) == 1


def test_a_request_that_took_too_long_is_not_sent_again(fake):
    fake.released.clear()
    with (
        Client(fake.address, transport=fake.transport, timeout=0.5) as client,
        pytest.raises(UserError, match=r"no answer within 0.5 s; allow more time"),
    ):
        client.sample(1)
    assert len(fake.asked) == 1


def test_the_time_is_for_the_whole_call(fake, monkeypatch):
    """Not for each of its requests."""
    now = [0.0]
    monkeypatch.setattr(sending.time, "monotonic", lambda: now[0])

    def answer(*asked):
        now[0] += 6.0
        return Fake.answer(fake, *asked)

    monkeypatch.setattr(fake, "answer", answer)
    with (
        Client(fake.address, transport=fake.transport, timeout=10, in_flight=1) as client,
        pytest.raises(UserError, match="no answer within 10 s"),
    ):
        client.sample(64 * 5)
    assert len(fake.asked) == 2


def test_a_connection_is_used_again():
    with FakeRest().serving() as fake, Client(fake.address, "rest", in_flight=1) as client:
        client.sample(64 * 3)
        client.sample(1)
        assert len(fake.peers) == 1


def test_what_is_too_large_is_not_asked_for_again(monkeypatch):
    monkeypatch.setattr(sending, "MAX_REPLY_BYTES", 100)
    with (
        FakeGrpc().serving() as fake,
        Client(fake.address) as client,
        pytest.raises(UserError, match="larger than max"),
    ):
        client.sample(4)
    assert len(fake.asked) == 1


def test_a_missing_model_is_named(fake):
    fake.failures = [(fake.MISSING, "Servable not found for request: Latest(ganerator)")]
    with (
        Client(fake.address, transport=fake.transport, model="ganerator") as client,
        pytest.raises(UserError, match=r"no model `ganerator`.*Latest\(ganerator\); check"),
    ):
        client.sample(1)


def test_a_missing_signature_is_named_with_the_remedy(fake, client):
    fake.failures = [(fake.BAD, 'Serving signature key "png" not found.')]
    with pytest.raises(
        UserError, match=r"`png` is there if `generator` comes from gan-keras-export"
    ):
        client.sample(1)
    found = refusals.complaint("here", "generator", contract.PNG_LABEL_SIGNATURE, "no signature")
    assert str(found).endswith("without labels: omit label, or train with --conditional")


def test_a_web_server_that_is_no_model_server_is_noticed():
    with FakeRest().serving() as fake, Client(fake.address, "rest") as client:
        fake.failures = [(404, "<h1>nothing here</h1>")]
        with pytest.raises(UserError, match=r"HTTP 404 .*is it TensorFlow Serving"):
            client.sample(1)


def test_a_grpc_server_that_is_no_model_server_is_noticed():
    server = grpc.server(futures.ThreadPoolExecutor(1))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        with Client(address) as client, pytest.raises(UserError, match="is it TensorFlow Serving"):
            client.sample(1)
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize(
    ("server", "transport", "remedy"),
    [
        (FakeGrpc, "rest", r"does not speak HTTP/1.1.*transport grpc.*8501"),
        (FakeRest, "grpc", r"does not speak HTTP/2.*transport rest.*8500"),
    ],
)
def test_the_other_transports_port_is_noticed(monkeypatch, server, transport, remedy):
    monkeypatch.setattr(sending, "FIRST_PAUSE", SHORT_PAUSE)
    with (
        server().serving() as fake,
        Client(fake.address, transport) as client,
        pytest.raises(UserError, match=remedy),
    ):
        client.sample(1)


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_nobody_there_is_told_with_the_address_and_the_ports(monkeypatch, transport):
    monkeypatch.setattr(sending, "FIRST_PAUSE", SHORT_PAUSE)
    with (
        Client("127.0.0.1:1", transport) as client,
        pytest.raises(
            UserError,
            match=rf"^127.0.0.1:1 over {transport} cannot be reached: .*refused.*8500 is gRPC",
        ),
    ):
        client.sample(1)
