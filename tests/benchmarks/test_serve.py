"""`benchmarks.serve`: the clients' load by a clock of our own, the server, and the table."""

import itertools
from types import SimpleNamespace

import pytest
from numpy.testing import assert_array_equal

from benchmarks import load, runner, serve
from gan_keras.errors import UserError


def test_requests_that_end_in_the_measurement_count():
    spans = [(0.0, 0.9), (0.9, 1.1), (1.1, 1.5), (1.5, 2.9), (2.9, 3.0)]
    result = load.summarise(spans, 1.0, 3.0)
    assert (result["requests"], result["requests_per_second"]) == (3, 1.5)
    # Of 200, 400 and 1,400 ms; linear in between.
    expected = {"p50": 400.0, "p90": 1200.0, "p99": 1380.0}
    assert {key: result[key] for key in expected} == pytest.approx(expected)
    with pytest.raises(ValueError, match="no request"):
        load.summarise(spans, 5.0, 6.0)


def test_a_client_asks_until_the_time_is_up():
    """By a clock that is one second further whenever it is looked at."""
    ticks = itertools.count(1)
    asked = []
    result = load.load(asked.append, 1, warm_up=2, seconds=4, now=lambda: next(ticks))
    # Connected at 1. Requests from 2 to 3, 4 to 5, 6 to 7; measured from 3 to 7; too late at 8.
    assert asked == [0, 0, 0, 0]
    assert (result["requests"], result["requests_per_second"]) == (2, 0.5)
    assert result["p99"] == 1000.0


def test_all_clients_ask_and_one_failure_ends_them():
    asked = set()

    def ask(client):
        asked.add(client)
        if client == 2:
            raise UserError("refused")

    ticks = itertools.count()
    with pytest.raises(UserError, match="refused"):
        load.load(ask, 3, warm_up=0, seconds=1e9, now=lambda: next(ticks))
    assert asked == {0, 1, 2}


def test_the_embedded_server_answers_over_both(exported):
    from gan_keras.client.client import Client

    with serve.embedded(exported.parent) as where:
        pictures = [
            Client(where[transport], transport).sample(2, seed=3) for transport in ("grpc", "rest")
        ]
    assert pictures[0].shape == (2, 16, 16, 1)
    assert_array_equal(*pictures)


def test_a_server_that_does_not_start_is_an_error(tmp_path):
    with (
        pytest.raises(UserError, match="gan-keras-serve: "),
        serve.embedded(tmp_path / "nothing"),
    ):
        pass


def result(speed):
    shares = {f"p{share}": 1000 / speed for share in load.PERCENTILES}
    return {"requests_per_second": speed, **shares}


def table(rounds, peer):
    benchmark = object.__new__(serve.Serve)
    benchmark.names, benchmark.peer = list(rounds[0]), peer
    benchmark.values = SimpleNamespace(count=16)
    return benchmark.table(rounds)


def test_serve_compares_ours_with_its_peer():
    rounds = [
        {"ours grpc 1": result(ours), "tf-serving grpc 1": result(20.0), "ours rest 1": result(5)}
        for ours in (10.0, 40.0)
    ]
    header, _, ours, peer, rest = table(rounds, {"grpc": "a:1"}).splitlines()[:5]
    assert header.split("|")[-2].strip() == "/ tf-serving"
    assert [cell.strip() for cell in ours.split("|")[1:-1]] == [
        *("ours", "grpc", "1", "25.0 (10.0–40.0)"),
        *["62.5 (25.0–100.0)"] * 3,
        "1.25 (0.50–2.00)",
    ]
    assert peer.split("|")[-2].strip() == rest.split("|")[-2].strip() == ""
    assert "/ tf-serving" not in table([{"ours rest 1": result(5)}], {})


def test_a_peer_needs_to_serve_the_same(capsys):
    assert runner.run(serve.Serve, ["--server=127.0.0.1:8500"]) == 2
    assert "--server=127.0.0.1:8500: give --export_dir too" in capsys.readouterr().err
