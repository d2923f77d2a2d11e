"""`benchmarks.serve`: the clients' load by a clock of our own, the servers, and the table."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal
from tensorflow_serving.apis import predict_pb2

from benchmarks import commands, load, processes, runner, serve, wire
from gan_keras.errors import UserError
from gan_keras.exporting import contract


def test_requests_that_end_in_the_measurement_count():
    spans = [(0.0, 0.9), (0.9, 1.1), (1.1, 1.5), (1.5, 2.9), (2.9, 3.0)]
    result = load.summarise(spans, 1.0, 3.0)
    assert (result["requests"], result["requests_per_second"]) == (3, 1.5)
    # Of 200, 400 and 1,400 ms; linear in between.
    expected = {"p50": 400.0, "p90": 1200.0, "p99": 1380.0}
    assert {key: result[key] for key in expected} == pytest.approx(expected)
    with pytest.raises(ValueError, match="no request"):
        load.summarise(spans, 5.0, 6.0)


def test_requests_are_those_of_tensorflow_serving():
    for seeds in ([7], list(range(100, 164))):
        expected = predict_pb2.PredictRequest(output_filter=[contract.PNG_BYTES])
        expected.model_spec.name = contract.MODEL_NAME
        expected.model_spec.signature_name = contract.PNG_SIGNATURE
        rows = np.array(seeds, np.int64)
        expected.inputs[contract.SEED].CopyFrom(tf.make_tensor_proto(rows))
        if len(seeds) == 1:  # a form of TensorFlow's own
            expected.inputs[contract.SEED].ClearField("int64_val")
            expected.inputs[contract.SEED].tensor_content = rows.tobytes()
        sent = predict_pb2.PredictRequest.FromString(wire.predict_request(seeds))
        assert sent == expected


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_replies_are_counted_however_they_are_cut(cut):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
    rest = wire.Rest("a:1")
    for _ in range(2):
        parts = [answer[n : n + cut] for n in range(0, len(answer), cut)]
        assert [rest.replies(part) for part in parts] == [0] * (len(parts) - 1) + [1]
    settings = wire.frame(wire.SETTINGS, 0, 0, b"")
    ping = wire.frame(wire.PING, 0, 0, b"12345678")
    head, data = wire.frame(wire.HEADERS, 4, 1, b"h"), wire.frame(wire.DATA, 0, 1, b"png")
    trailers = wire.frame(wire.HEADERS, 5, 1, b"t")
    answer, grpc = settings + head + ping + data + trailers, wire.Grpc("a:1")
    parts = [answer[n : n + cut] for n in range(0, len(answer), cut)]
    assert [grpc.replies(part) for part in parts] == [0] * (len(parts) - 1) + [1]
    acks = [wire.frame(wire.SETTINGS, 1, 0, b""), wire.frame(wire.PING, 1, 0, b"12345678")]
    assert grpc.send == b"".join(acks)
    with pytest.raises(ValueError, match="t"):  # an error has no data
        grpc.replies(head + trailers)
    with pytest.raises(ValueError, match="404"):
        rest.replies(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")


def test_the_embedded_server_answers_over_both(exported):
    from gan_keras.client import Client

    pictures, loads = [], []
    with serve.started(serve.OURS, str(exported.parent)) as addresses:
        for transport, address in addresses.items():
            pictures.append(Client(address, transport).sample(2, seed=3))
            # By a clock that is one second further whenever it is looked at.
            ticks = itertools.count().__next__
            loads.append(load.load(address, transport, [0, 1], 2, 0, 20, now=ticks))
    assert pictures[0].shape == (2, 16, 16, 1)
    assert_array_equal(*pictures)
    for spans, cores in loads:
        assert len(spans) > 5
        assert all(start < stop for start, stop in spans)
        assert cores >= 0


def test_a_server_that_does_not_start_is_an_error(tmp_path):
    with (
        pytest.raises(UserError, match="gan-keras-serve: "),
        serve.started(serve.OURS, str(tmp_path)),
    ):
        pass


def table(monkeypatch, output, flags, speeds):
    """Rows of the table of a call whose servers have these speeds, in each round the next one."""
    asked = []

    def measure(function, server, source, transport, **load):
        assert function == "benchmarks.serve.measure"
        assert (load["clients"], load["count"]) == (4, 1)
        asked.append((server, transport, source))
        speed = next(speeds[server])
        shares = dict.fromkeys(("p50", "p90", "p99"), 1000 / speed)
        return {"requests_per_second": speed, "client_cores": 8 / speed, **shares}

    monkeypatch.setattr(processes, "measure", measure)
    monkeypatch.setattr(commands, "exports", lambda folder: None)
    monkeypatch.setattr(serve.importlib.util, "find_spec", lambda name: name)
    flags = ["--rounds=2", "--clients=4", "--counts=1", f"--output={output}", *flags]
    assert runner.run(serve.Serve, flags) == 0
    assert len(json.loads(output.read_text())["rounds"]) == 2
    lines = output.with_suffix(".md").read_text().split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines], asked


def test_serve_compares_ours_with_fastapi(monkeypatch, tmp_path):
    speeds = {"ours": iter([20.0, 20.0, 60.0, 60.0]), "fastapi": iter([5.0, 5.0])}
    (header, _, *rows), _ = table(monkeypatch, tmp_path / "serve.json", [], speeds)
    assert header[1:3] == ["requests/s", "/ fastapi"]
    ours = ["40.0 (20.0–60.0)", "8.00 (4.00–12.00)", *["33.3 (16.7–50.0)"] * 3, "0.27 (0.13–0.40)"]
    assert rows == [
        ["ours grpc 4 1", *ours],
        ["ours rest 4 1", *ours],
        # The star: its clients may be what limits.
        ["fastapi rest 4 1 *", "5.0", "", *["200.0"] * 3, "1.60"],
    ]


def test_serve_compares_ours_with_tensorflow_serving_by_the_same_transport(monkeypatch, tmp_path):
    speeds = {"ours": iter([20.0, 30.0] * 2), "tf-serving": iter([40.0, 60.0] * 2)}
    flags = ["--export_dir=e", "--server=a:1", "--rest_server=b:2"]
    (header, _, *rows), asked = table(monkeypatch, tmp_path / "serve.json", flags, speeds)
    assert header[1:3] == ["requests/s", "/ tf-serving"]
    assert [row[:3] for row in rows] == [
        ["ours grpc 4 1", "20.0", "0.50"],
        ["ours rest 4 1", "30.0", "0.50"],
        ["tf-serving grpc 4 1", "40.0", ""],
        ["tf-serving rest 4 1", "60.0", ""],
    ]
    assert asked[:4] == [
        ("ours", "grpc", "e"), ("ours", "rest", "e"),
        ("tf-serving", "grpc", "a:1"), ("tf-serving", "rest", "b:2"),
    ]  # fmt: skip


def test_a_peer_is_asked_where_it_runs():
    with serve.started(serve.PEER, "a:1") as addresses:
        assert addresses["rest"] == "a:1"


@pytest.mark.parametrize("flag", ["server", "rest_server"])
def test_a_peer_needs_to_serve_the_same(flag, tmp_path, capsys):
    output = f"--output={tmp_path / 'serve.json'}"
    assert runner.run(serve.Serve, [f"--{flag}=127.0.0.1:8500", output]) == 2
    assert f"--{flag}=127.0.0.1:8500: give --export_dir too" in capsys.readouterr().err
