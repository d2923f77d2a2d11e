"""`benchmarks.serve`: the clients' load by a clock of our own, the server, and the table."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal
from tensorflow_serving.apis import predict_pb2

from benchmarks import load, runner, serve, wire
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
        expected = predict_pb2.PredictRequest()
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
    settings, ping = (
        wire._frame(wire.SETTINGS, 0, 0, b""),
        wire._frame(wire.PING, 0, 0, b"12345678"),
    )
    head, data = wire._frame(wire.HEADERS, 4, 1, b"h"), wire._frame(wire.DATA, 0, 1, b"png")
    trailers = wire._frame(wire.HEADERS, 5, 1, b"t")
    answer, grpc = settings + head + ping + data + trailers, wire.Grpc("a:1")
    parts = [answer[n : n + cut] for n in range(0, len(answer), cut)]
    assert [grpc.replies(part) for part in parts] == [0] * (len(parts) - 1) + [1]
    acks = [wire._frame(wire.SETTINGS, 1, 0, b""), wire._frame(wire.PING, 1, 0, b"12345678")]
    assert grpc.send == b"".join(acks)
    with pytest.raises(ValueError, match="t"):  # an error has no data
        grpc.replies(head + trailers)
    with pytest.raises(ValueError, match="404"):
        rest.replies(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")


def test_the_embedded_server_answers_over_both(exported):
    from gan_keras.client.client import Client

    with serve.embedded(exported.parent) as where:
        pictures = [
            Client(where[transport], transport).sample(2, seed=3) for transport in ("grpc", "rest")
        ]
        ticks = itertools.count()
        loads = [
            load.load(where[transport], transport, [0, 1], 2, 0, 20, now=lambda: next(ticks))
            for transport in ("grpc", "rest")
        ]
    assert pictures[0].shape == (2, 16, 16, 1)
    assert_array_equal(*pictures)
    # By a clock that is one second further whenever it is looked at.
    assert all(span[0] < span[1] for spans, _ in loads for span in spans)
    assert len(loads[0][0]) > 5


def test_a_server_that_does_not_start_is_an_error(tmp_path):
    with (
        pytest.raises(UserError, match="gan-keras-serve: "),
        serve.embedded(tmp_path / "nothing"),
    ):
        pass


def result(speed):
    shares = {f"p{share}": 1000 / speed for share in load.PERCENTILES}
    return {"requests_per_second": speed, "client_cores": 8 / speed, **shares}


def test_serve_compares_ours_with_the_others():
    names = ("ours grpc 4 1", "ours rest 4 1", "fastapi rest 4 1", "tf-serving grpc 4 1")
    rounds = [
        dict(zip(names, map(result, (ours, 20.0, 5.0, 40.0)), strict=True)) for ours in (20.0, 60.0)
    ]
    benchmark = object.__new__(serve.Serve)
    benchmark.names = list(names)
    header, _, *rows = benchmark.table(rounds).splitlines()[:6]
    assert [cell.strip() for cell in header.split("|")[-3:-1]] == ["/ fastapi", "/ tf-serving"]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert cells[0] == [
        *("ours", "grpc", "4", "1", "40.0 (20.0–60.0)"),
        *["33.3 (16.7–50.0)"] * 3,
        *("8.00 (4.00–12.00)", "1.00 (0.50–1.50)"),
    ]
    assert cells[1][-2:] == ["4.00", ""]
    assert cells[2][4:] == ["5.0 *", *["200.0"] * 3, "", ""]  # its client may be what limits
    benchmark.names = ["ours rest 4 1"]
    assert "/ " not in benchmark.table([{"ours rest 4 1": result(20)}]).splitlines()[0]


@pytest.mark.parametrize("texts", ["0", "1,x", "65", ""])
def test_numbers_that_cannot_be(texts):
    with pytest.raises(UserError, match=f"--counts={texts}: numbers from 1 to 64"):
        serve._numbers("counts", texts.split(","), 64)


def test_a_peer_needs_to_serve_the_same(capsys):
    assert runner.run(serve.Serve, ["--server=127.0.0.1:8500"]) == 2
    assert "--server=127.0.0.1:8500: give --export_dir too" in capsys.readouterr().err
