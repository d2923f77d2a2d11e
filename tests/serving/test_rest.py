"""The REST API, asked in raw HTTP."""

import base64
import gzip
import http.client
import json

import numpy as np
import pytest
import tensorflow as tf
import urllib3

PREDICT = "/v1/models/generator:predict"
ODD = "/v1/models/odd:predict"


@pytest.fixture(scope="module")
def pictures(saved):
    """The pictures of seeds in version `name`, made without a server."""
    loaded = {name: tf.saved_model.load(str(saved / name)) for name in ("first", "second")}

    def call(name, *seeds):
        sample = loaded[name].signatures["sample"]
        return sample(seed=tf.constant(seeds, tf.int64))["images"].numpy().tolist()

    return call


def predict(served, body, path=PREDICT):
    status, answer = served.ask("POST", path, body)
    assert status == 200, answer
    return answer


def refused(served, body, *said, path=PREDICT, status=400):
    got, answer = served.ask("POST", path, body)
    assert got == status, answer
    assert answer.keys() == {"error"}
    for text in said:
        assert text in answer["error"]


@pytest.mark.parametrize("seeds", [[3], [3, 1, 4]])
def test_rows_and_columns_bare_and_named(served, pictures, seeds):
    expected = pictures("second", *seeds)
    for rows in (seeds, [{"seed": seed} for seed in seeds]):
        body = {"signature_name": "sample", "instances": rows}
        assert predict(served, body) == {"predictions": expected}
    for columns in (seeds, {"seed": seeds}):
        body = {"signature_name": "sample", "inputs": columns}
        assert predict(served, body) == {"outputs": expected}


def test_default_signature_has_floats(served, saved):
    rows = [[0, 1, -2, 0.5], [1e-3, 2.5e0, 3, 4]]
    function = tf.saved_model.load(str(saved / "second")).signatures["serving_default"]
    expected = function(latents=tf.constant(rows, tf.float32))["images"].numpy()
    for body in ({"instances": rows}, {"instances": rows, "signature_name": ""}):
        answer = predict(served, body)
        # Every float32 comes back as itself.
        np.testing.assert_array_equal(np.array(answer["predictions"], np.float32), expected)


def test_png_is_base64(served, pictures):
    answer = predict(served, {"signature_name": "png", "instances": [5, 6]})
    files = [base64.b64decode(one.pop("b64")) for one in answer["predictions"]]
    assert answer == {"predictions": [{}, {}]}
    decoded = [tf.image.decode_png(file).numpy().tolist() for file in files]
    assert decoded == pictures("second", 5, 6)


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("", "second"),
        ("/versions/1", "first"),
        ("/versions/2", "second"),
        ("/labels/stable", "first"),
        ("/labels/canary", "second"),
    ],
)
def test_version_and_label_choose(served, pictures, choice, name):
    body = {"signature_name": "sample", "instances": [7]}
    answer = predict(served, body, f"/v1/models/generator{choice}:predict")
    assert answer == {"predictions": pictures(name, 7)}


def test_several_inputs_and_outputs(served):
    rows = {"signature_name": "mix", "instances": [{"a": [1, 2], "b": 3}, {"b": 5, "a": [4.5, 0]}]}
    assert predict(served, rows, ODD) == {
        "predictions": [{"total": 6.0, "twice": 6}, {"total": 9.5, "twice": 10}]
    }
    columns = {"signature_name": "mix", "inputs": {"a": [[1, 2], [4.5, 0]], "b": [3, 5]}}
    assert predict(served, columns, ODD) == {"outputs": {"total": [6.0, 9.5], "twice": [6, 10]}}


def test_strings(served):
    b64 = {"b64": base64.b64encode(b"b").decode()}
    for instances in (["a", b64, "ä"], [{"text": "a"}, {"text": b64}, {"text": "ä"}]):
        answer = predict(served, {"signature_name": "text", "instances": instances}, ODD)
        encoded = [{"b64": base64.b64encode(text).decode()} for text in (b"a", b"b", "ä".encode())]
        assert [row["text"] for row in answer["predictions"]] == ["a!", "b!", "ä!"]
        assert [row["same_bytes"] for row in answer["predictions"]] == encoded
    refused(
        served,
        {"signature_name": "raw", "instances": [{"b64": "/w=="}]},
        "output `raw` holds bytes that are no text",
        path=ODD,
    )


def test_booleans(served):
    body = {"signature_name": "negate", "instances": [True, False]}
    assert predict(served, body, ODD) == {"predictions": [False, True]}


def test_a_scalar_output_has_no_rows(served):
    body = {"signature_name": "total", "inputs": [3, 4]}
    assert predict(served, body, ODD) == {"outputs": 7}
    refused(
        served,
        {"signature_name": "total", "instances": [3, 4]},
        "do not have a row each",
        path=ODD,
    )


def test_int64_to_its_limits(served):
    limits = [2**63 - 1, -(2**63), 0]
    assert predict(served, {"signature_name": "small", "inputs": limits[1:]}, ODD) == {
        "outputs": limits[1:]
    }
    predict(served, {"signature_name": "sample", "instances": limits})


@pytest.mark.parametrize(
    "number", ["5.0", "1e3", '"5"', "true", "null", "1.5", "{}", "NaN", "Infinity"]
)
def test_int64_is_an_integer(served, number):
    body = f'{{"signature_name": "sample", "inputs": {{"seed": [1, {number}]}}}}'.encode()
    refused(served, body, "input `seed`: ", "received, int64 expected")


def test_integers_beyond_their_type(served):
    for number in (2**63, -(2**63) - 1, 10**30):
        body = {"signature_name": "sample", "instances": [number]}
        refused(served, body, "input `seed`: a number beyond the range of int64")
    body = {"signature_name": "mix", "instances": [{"a": [1, 2], "b": 2**31}]}
    refused(served, body, "input `b`: a number beyond the range of int32", path=ODD)
    digits = b'{"signature_name": "sample", "instances": [' + b"9" * 5000 + b"]}"
    refused(served, digits, "the body is not JSON")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e39", "1e400", "true", '"1"'])
def test_floats_are_finite_numbers(served, number):
    body = f'{{"instances": [[0, 0, 0, {number}]]}}'.encode()
    refused(served, body, "input `latents`: ")


def test_a_float_beyond_every_range(served):
    refused(served, {"instances": [[0, 0, 0, 10**400]]}, "beyond the range of float32")


@pytest.mark.parametrize("number", [0.0, -1.0])
def test_infinite_and_undefined_results_are_not_json(served, number):
    body = {"signature_name": "logarithm", "instances": [number]}
    refused(served, body, "output `y` holds NaN or infinite values", "use gRPC", path=ODD)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"instances": [1,]}', "not JSON"),
        (b'{"instances": [1]} x', "not JSON"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"inputs": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}", "nested more than 64 deep"),
        (b"[1]", "must be a JSON object"),
        (b'"instances"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"5", "must be a JSON object"),
        ({}, 'one of "instances" and "inputs"'),
        ({"instances": [1], "inputs": [1]}, 'one of "instances" and "inputs"'),
        ({"instances": [1], "signature_name": 3}, '"signature_name" must be a string'),
        ({"instances": [1], "signature_name": None}, '"signature_name" must be a string'),
        ({"instances": [1], "signature_name": "jpeg"}, "no signature `jpeg`; it has `png`"),
        ({"instances": []}, "a list of one row or more"),
        ({"instances": {"seed": [1]}}, "a list of one row or more"),
        ({"instances": 1}, "a list of one row or more"),
        ({"instances": None}, "a list of one row or more"),
        ({"instances": [{"seed": 1}]}, "input `latents` of signature `serving_default` is miss"),
        ({"instances": [{}]}, "input `latents` of signature `serving_default` is missing"),
        ({"instances": [[1, 2, 3]]}, "shape (1, 3) received, (None, 4) expected"),
        ({"instances": [1]}, "shape (1,) received, (None, 4) expected"),
        ({"instances": [[1, 2, 3, 4], [1, 2, 3]]}, "differ in length or depth"),
        ({"instances": [[1, 2, 3, [4]]]}, "differ in length or depth"),
        ({"instances": [[1, 2, 3, {}]]}, "an object received, float32 expected"),
        ({"instances": [[]]}, "shape (1, 0) received, (None, 4) expected"),
        ({"instances": [[1, 2, 3, 4], {"latents": [1, 2, 3, 4]}, {}]}, "row 2 has the inputs []"),
        ({"inputs": []}, "shape (0,) received, (None, 4) expected"),
        ({"inputs": {"latents": []}}, "shape (0,) received"),
        ({"inputs": {}}, "input `latents` of signature `serving_default` is missing"),
        ({"inputs": None}, "null received, float32 expected"),
        ({"inputs": [], "signature_name": "sample"}, "shape (0,) received, one row or more"),
        ({"inputs": 3, "signature_name": "sample"}, "shape () received, (None,) expected"),
        ({"inputs": ["\ud800"], "signature_name": "sample"}, "int64 expected"),
    ],
)
def test_wrong_body(served, body, said):
    refused(served, body, said)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"signature_name": "mix", "instances": [1]}, "an object with the inputs `a`, `b` expect"),
        ({"signature_name": "mix", "inputs": [[1, 2]]}, "an object with the inputs `a`, `b` expec"),
        (
            {"signature_name": "mix", "instances": [{"a": [1, 2]}]},
            "input `b` of signature `mix` is",
        ),
        (
            {"signature_name": "mix", "instances": [{"a": [1, 2], "b": 1}, {"a": [1, 2]}]},
            "row 1 has the inputs ['a'], row 0 has ['a', 'b']",
        ),
        (
            {"signature_name": "mix", "inputs": {"a": [[1, 2]] * 2, "b": [1, 2, 3]}},
            "Incompatible shapes",
        ),
        ({"signature_name": "small", "instances": [11]}, "x is too large"),
        ({"signature_name": "negate", "instances": [1]}, "`flag`: 1 received, bool expected"),
        ({"signature_name": "text", "instances": [1]}, "`text`: 1 received, a string or"),
        ({"signature_name": "text", "instances": [{"b64": "?"}]}, "`text`: an object received"),
        ({"signature_name": "text", "instances": [{"b64": 1}]}, "`text`: an object received"),
        ({"signature_name": "text", "instances": ["\ud800"]}, "`text`: "),
    ],
)
def test_wrong_body_for_odd_signatures(served, body, said):
    refused(served, body, said, path=ODD)


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/v1/models/nobody:predict", 404, "no model `nobody`"),
        ("POST", "/v1/models/generator/versions/9:predict", 404, "no version 9"),
        ("POST", f"/v1/models/generator/versions/{2**63}:predict", 400, "beyond int64"),
        ("POST", f"/v1/models/generator/versions/{'9' * 5000}:predict", 400, "beyond int64"),
        ("POST", "/v1/models/generator/labels/best:predict", 400, "no version label `best`"),
        ("POST", "/v1/models/generator/versions/x:predict", 400, "Malformed request"),
        ("POST", "/v1/models/generator/versions/1/labels/stable:predict", 400, "Malformed request"),
        ("POST", "/v1/models/generator:classify", 400, ":classify is for models of another kind"),
        ("POST", "/v1/models/nobody:classify", 404, "no model `nobody`"),
        ("POST", "/v1/models/:predict", 400, "Malformed request"),
        ("POST", "/", 404, "not served here"),
        ("GET", "/foo", 404, "not served here"),
        ("GET", "/v1/models", 400, "Missing model name"),
        ("GET", "/v1/models/generator/", 400, "Malformed request"),
        ("GET", "/v1/models/%00%0a%ff", 404, "no model `"),
        ("GET", "/%0a", 404, "not served here"),
        ("GET", "/v1/models/nobody", 404, "no model `nobody`"),
        ("GET", "/v1/models/generator/versions/9", 404, "no version 9"),
        ("GET", "/v1/models/nobody/metadata", 404, "no model `nobody`"),
        ("GET", "/v1/models/generator/versions/9/metadata", 404, "no version 9"),
        ("GET", "/v1/models/generator/labels/best/metadata", 400, "no version label `best`"),
        ("GET", "/v1/models/generator:predict", 400, "Malformed request: GET /v1/models/gen"),
    ],
)
def test_path_and_method(served, method, path, status, said):
    got, answer = served.ask(method, path, b"{}" if method == "POST" else None)
    assert (got, answer.keys()) == (status, {"error"})
    assert said in answer["error"]


@pytest.mark.parametrize("choice", ["", "/versions/1", "/labels/stable"])
def test_status(served, choice):
    def line(version):
        status = {"error_code": "OK", "error_message": ""}
        return {"version": version, "state": "AVAILABLE", "status": status}

    lines = [line("1")] if "versions" in choice else [line("2"), line("1")]
    answer = served.ask("GET", f"/v1/models/generator{choice}")
    assert answer == (200, {"model_version_status": lines})


def test_metadata(served):
    status, answer = served.ask("GET", "/v1/models/generator/versions/1/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "generator", "version": "1", "signature_name": ""}
    assert answer["metadata"].keys() == {"signature_def"}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "sample", "png"} <= signatures.keys()
    latents = signatures["serving_default"]["inputs"]["latents"]
    assert latents["dtype"] == "DT_FLOAT"
    assert latents["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "4", "name": ""}],
        "unknown_rank": False,
    }
    assert signatures["png"]["method_name"] == "tensorflow/serving/predict"
    _, newest = served.ask("GET", "/v1/models/generator/metadata")
    assert newest["model_spec"]["version"] == "2"


def test_body_of_any_encoding(served, pictures):
    body = gzip.compress(b'{"signature_name": "sample", "instances": [7]}')
    status, answer = served.ask("POST", PREDICT, body, headers={"Content-Encoding": "gzip"})
    assert (status, answer) == (200, {"predictions": pictures("second", 7)})
    headers = {"Content-Encoding": "gzip"}
    answer = urllib3.request("POST", f"http://{served.rest}{PREDICT}", body=b"no", headers=headers)
    assert (answer.status, answer.json().keys()) == (400, {"error"})
    assert answer.headers["Connection"] == "close"


def test_large_body(served):
    """More than aiohttp's default of 1 MiB is answered, more than the limit is not read."""
    rows = [[0.125] * 4] * 60_000
    body = json.dumps({"inputs": {"a": [row[:2] for row in rows], "b": [0] * 60_000}}).encode()
    body = body.replace(b"{", b'{"signature_name": "mix", ', 1) + b" " * 2**20
    status, answer = served.ask("POST", ODD, body)
    assert (status, answer["outputs"]["total"]) == (200, [0.25] * 60_000)


def test_body_over_the_limit(served):
    host, port = served.rest.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.putrequest("POST", PREDICT)
    connection.putheader("Content-Length", str(64 * 2**20 + 1))
    connection.endheaders()
    answer = connection.getresponse()  # before a byte of the body is sent
    assert answer.status == 413
    assert "67,108,864 bytes" in json.loads(answer.read())["error"]
    connection.close()
    # Without a length: only reading tells.
    status, answer = served.ask("POST", PREDICT, b" " * (64 * 2**20 + 1), chunked=True)
    assert (status, answer.keys()) == (413, {"error"})
