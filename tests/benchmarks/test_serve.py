"""`benchmarks.serve`: the clients, the servers, and the table."""

import json

import pytest

from benchmarks import clients, commands, processes, runner, serve
from gan_keras.errors import UserError


@pytest.fixture(scope="module")
def folder(exported, tmp_path_factory):
    """What the embedded server gets of `commands.exports`."""
    folder = tmp_path_factory.mktemp("serve")
    (folder / commands.EXPORT).symlink_to(exported.parent)
    return str(folder)


def test_the_embedded_server_answers_over_both(folder):
    with serve.started(serve.OURS, folder) as where:
        for transport in ("grpc", "rest"):
            asked = {"server": where[transport], "transport": transport, "clients": 3, "count": 2}
            seen = processes.measure(
                "benchmarks.clients.measure", **asked, warm_up=0.0, seconds=0.5
            )
            assert seen["requests"] >= 1
            assert seen["requests_per_second"] == seen["requests"] / 0.5
            assert 0 < seen["p50"] <= seen["p90"] <= seen["p99"]


def test_no_two_clients_ask_for_the_same_pictures(monkeypatch):
    asked = []

    class Client:
        def __init__(self, server, transport):
            assert (server, transport) == ("a:1", "rest")

        def sample(self, count, seed):
            asked.extend(range(seed, seed + count))

    monkeypatch.setattr("gan_keras.client.Client", Client)
    for first in (0, 100_003):
        ask = clients._client("a:1", "rest", 16, first)
        for number in range(5):
            ask(number)
    assert len({*asked}) == len(asked) == 160


def test_a_server_that_does_not_start_is_an_error(tmp_path):
    with pytest.raises(UserError, match="gan-keras-serve: "), serve.started("ours", str(tmp_path)):
        pass


def test_serve_compares_ours_with_fastapi(monkeypatch, tmp_path):
    speeds = {"ours": iter([20.0, 20.0, 60.0, 60.0]), "fastapi": iter([5.0, 5.0])}

    def measure(function, server, **load):
        assert function == "benchmarks.serve.measure"
        assert (load["clients"], load["count"]) == (4, 1)
        shares = dict.fromkeys(("p50", "p90", "p99"), 1.0)
        return {"requests_per_second": next(speeds[server]), "client_cores": 0.5, **shares}

    monkeypatch.setattr(processes, "measure", measure)
    monkeypatch.setattr(commands, "exports", lambda folder: None)
    monkeypatch.setattr(serve.importlib.util, "find_spec", lambda name: name)
    output = tmp_path / "serve.json"
    flags = ["--rounds=2", "--clients=4", "--counts=1", f"--output={output}"]
    assert runner.run(serve.Serve, flags) == 0
    assert len(json.loads(output.read_text())["rounds"]) == 2
    lines = output.with_suffix(".md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:5]]
    assert [row[:3] for row in cells] == [
        ["ours grpc 4 1", "40.0 (20.0–60.0)", "8.00 (4.00–12.00)"],
        ["ours rest 4 1", "40.0 (20.0–60.0)", "8.00 (4.00–12.00)"],
        ["fastapi rest 4 1", "5.0", ""],
    ]
