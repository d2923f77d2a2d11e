"""Versions come, go, fail and change while the server answers."""

import concurrent.futures
import shutil
import threading

import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract
from gan_keras.serving import models
from tests.serving.harness import place, serving, settings, states, until

SAMPLE = {"signature_name": "sample", "instances": [7]}


def sample(served, choice=""):
    return served.ask("POST", f"/v1/models/generator{choice}:predict", SAMPLE)


def broken(base, version):
    """A version folder that is no SavedModel."""
    (base / "making").mkdir()
    (base / "making" / "saved_model.pb").write_bytes(b"no protobuf\nat all")
    return (base / "making").rename(base / str(version))


def test_hot_swap_fails_no_request(saved, base, pictures):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = contract.MODEL_NAME
    request.model_spec.signature_name = "sample"
    request.inputs["seed"].CopyFrom(tf.make_tensor_proto([7], tf.int64))
    with serving(settings(base)) as served:
        over = threading.Event()

        def over_rest():
            status, answer = sample(served)
            assert status == 200, answer
            return answer["predictions"]

        def over_grpc():
            return tf.make_ndarray(served.predict.Predict(request).outputs["images"]).tolist()

        def ask_on(call):
            answers = []
            while not over.is_set():
                answers.append("first" if call() == pictures["first"] else "second")
                if answers[-1] == "second":
                    assert call() == pictures["second"]
            answers.append("first" if call() == pictures["first"] else "second")
            return answers

        with concurrent.futures.ThreadPoolExecutor() as pool:
            asking = [pool.submit(ask_on, call) for call in (over_rest, over_grpc) * 2]
            try:
                place(saved / "second", base, 2)
                until(lambda: states(served) == {1: "END", 2: "AVAILABLE"})
            finally:
                over.set()
            for one in asking:
                answers = one.result()
                assert answers == sorted(answers)  # the first model, then the second one
                assert answers[-1] == "second"
        assert any(answer == "first" for one in asking for answer in one.result())
        assert served.lines[-2:] == [
            f"loaded model `generator` version 2 from {base}/2",
            "unloaded model `generator` version 1",
        ]
        assert sample(served, "/versions/1")[0] == 404
        assert not served.complaints


def test_old_version_answers_while_the_new_one_loads(saved, base, pictures, monkeypatch):
    loads, gate = models.Servable, threading.Event()

    def slow(name, version, folder, seconds):
        if version == 2:
            assert gate.wait(30)
        return loads(name, version, folder, seconds)

    monkeypatch.setattr(models, "Servable", slow)
    with serving(settings(base)) as served:
        try:
            place(saved / "second", base, 2)
            until(lambda: states(served) == {1: "AVAILABLE", 2: "LOADING"})
            assert sample(served) == (200, {"predictions": pictures["first"]})
            status, answer = sample(served, "/versions/2")
            assert (status, answer["error"]) == (
                404,
                "model `generator` has no version 2 to serve",
            )
        finally:
            gate.set()
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE"})
        assert sample(served) == (200, {"predictions": pictures["second"]})


def test_broken_version_is_told_and_passed_by(saved, base, pictures, monkeypatch):
    monkeypatch.setattr(models, "FIRST_RETRY", 0.02)
    attempts, loads = [], models.Servable

    def counted(name, version, folder, seconds):
        attempts.append(version)
        return loads(name, version, folder, seconds)

    monkeypatch.setattr(models, "Servable", counted)
    with serving(settings(base)) as served:
        broken(base, 2)
        until(lambda: attempts.count(2) >= 3)
        assert sample(served) == (200, {"predictions": pictures["first"]})
        (complaint,) = served.complaints  # three failures of one kind are told once
        start = f"model `generator` version 2: {base}/2 cannot be loaded: "
        assert complaint.startswith(start)
        assert "\n" not in complaint
        until(lambda: states(served)[2] == "END")
        _, answer = served.ask("GET", "/v1/models/generator/versions/2")
        (one,) = answer["model_version_status"]
        assert one["status"]["error_code"] == "UNKNOWN"
        assert one["status"]["error_message"] in complaint

        place(saved / "second", base, 3)
        until(lambda: states(served) == {1: "END", 2: "END", 3: "AVAILABLE"})
        assert sample(served) == (200, {"predictions": pictures["second"]})
        assert len(served.complaints) == 1


def test_broken_version_that_is_mended(saved, base, pictures, monkeypatch):
    monkeypatch.setattr(models, "FIRST_RETRY", 0.02)
    with serving(settings(base)) as served:
        folder = broken(base, 2)
        until(lambda: served.complaints)
        shutil.copytree(saved / "second", folder, dirs_exist_ok=True)
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE"})
        assert sample(served) == (200, {"predictions": pictures["second"]})


def test_failed_version_that_is_replaced_does_not_wait(saved, base, monkeypatch):
    monkeypatch.setattr(models, "FIRST_RETRY", 1e6)
    monkeypatch.setattr(models, "LAST_RETRY", 1e6)
    with serving(settings(base)) as served:
        folder = broken(base, 2)
        until(lambda: served.complaints)
        shutil.rmtree(folder)
        until(
            lambda: (
                served.ask("GET", "/v1/models/generator/versions/2")[1]["model_version_status"][0][
                    "status"
                ]["error_code"]
                == "OK"
            )
        )
        place(saved / "second", base, 2)
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE"})


def test_versions_that_vanish_are_unloaded(saved, base, pictures):
    place(saved / "second", base, 2)
    with serving(settings(base, newest=None)) as served:
        assert states(served) == {1: "AVAILABLE", 2: "AVAILABLE"}
        assert sample(served) == (200, {"predictions": pictures["second"]})
        (base / "2").rename(base / "gone")
        until(lambda: states(served) == {1: "AVAILABLE", 2: "END"})
        assert sample(served) == (200, {"predictions": pictures["first"]})
        assert sample(served, "/versions/2")[0] == 404
        (base / "1").rename(base / "gone-too")
        until(lambda: states(served) == {1: "END", 2: "END"})
        assert sample(served) == (404, {"error": "model `generator` has no version to serve now"})
        (base / "gone").rename(base / "2")
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE"})
        assert sample(served) == (200, {"predictions": pictures["second"]})


def test_withdrawing_the_newest_goes_back(saved, base, pictures, monkeypatch):
    """The one that is withdrawn answers until the one before is loaded again."""
    loads, gate = models.Servable, threading.Event()

    def slow(name, version, folder, seconds):
        if version == 1:
            assert gate.wait(30)
        return loads(name, version, folder, seconds)

    place(saved / "second", base, 2)
    monkeypatch.setattr(models, "Servable", slow)
    with serving(settings(base)) as served:
        try:
            (base / "2").rename(base / "withdrawn-2")
            until(lambda: states(served) == {1: "LOADING", 2: "AVAILABLE"})
            assert sample(served) == (200, {"predictions": pictures["second"]})
        finally:
            gate.set()
        until(lambda: states(served) == {1: "AVAILABLE", 2: "END"})
        assert sample(served) == (200, {"predictions": pictures["first"]})


def test_base_path_that_vanishes_changes_nothing(saved, base, pictures):
    with serving(settings(base)) as served:
        base.rename(base.with_name("gone"))
        until(lambda: served.complaints)
        assert sample(served) == (200, {"predictions": pictures["first"]})
        base.with_name("gone").rename(base)
        place(saved / "second", base, 2)
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE"})
        assert served.complaints == [f"model `generator`: {base}: No such file or directory"]


def test_a_surprise_does_not_end_the_updates(saved, base, monkeypatch):
    polls, poll = [], models.Model.poll

    async def surprising(self):
        if self.settings.base_path == base:  # other servers may run beside this one
            polls.append(1)
            if len(polls) == 3:
                raise RuntimeError("a surprise")
        return await poll(self)

    monkeypatch.setattr(models.Model, "poll", surprising)
    with serving(settings(base)) as served:
        until(lambda: served.complaints == ["model `generator`: a surprise"])
        place(saved / "second", base, 2)
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE"})


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, {3}),
        ({"newest": 2}, {2, 3}),
        ({"newest": None}, {1, 2, 3}),
        ({"specific": frozenset({1, 2})}, {1, 2}),
    ],
)
def test_policy(saved, base, policy, expected):
    for version in (2, 3):
        place(saved / "second", base, version)
    with serving(settings(base, **policy)) as served:
        assert states(served) == dict.fromkeys(expected, "AVAILABLE")
        newest_first = [
            f"loaded model `generator` version {version} from {base}/{version}"
            for version in sorted(expected, reverse=True)
        ]
        assert served.lines[: len(expected)] == newest_first
        _, answer = served.ask("GET", "/v1/models/generator/metadata")
        assert answer["model_spec"]["version"] == str(max(expected))


def test_latest_two_move_on(saved, base):
    place(saved / "first", base, 2)
    with serving(settings(base, newest=2)) as served:
        place(saved / "second", base, 10)
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE", 10: "AVAILABLE"})


def test_no_second_look(saved, base, monkeypatch):
    async def keep_up(self, poll_seconds):
        raise AssertionError("looked again")

    monkeypatch.setattr(models.Models, "keep_up", keep_up)
    with serving(settings(base), poll_seconds=0) as served:
        assert states(served) == {1: "AVAILABLE"}


def test_broken_at_the_start(base):
    folder = broken(base, 2)
    with pytest.raises(UserError) as refused, serving(settings(base)):
        pass
    message = str(refused.value)
    assert f"model `generator`: nothing to serve: {folder} cannot be loaded: " in message
    assert f"gan-keras-export --workdir <run> --export_dir {base}" in message
    assert "\n" not in message


def test_one_broken_of_all_at_the_start(base):
    broken(base, 2)
    with serving(settings(base, newest=None)) as served:
        assert states(served) == {1: "AVAILABLE", 2: "END"}
        assert len(served.complaints) == 1


def test_labels_need_a_loaded_version(base):
    labelled = settings(base, labels={"stable": 1, "canary": 2})
    said = "label `canary` points at version 2, which is not loaded"
    with pytest.raises(UsageError, match=said), serving(labelled):
        pass
    with serving(labelled, allow_unavailable_labels=True) as served:
        assert sample(served, "/labels/stable")[0] == 200
        assert sample(served, "/labels/canary")[0] == 404
        assert states(served) == {1: "AVAILABLE"}
