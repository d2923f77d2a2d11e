"""Versions come, go, fail and change while the server answers."""

import concurrent.futures
import shutil
import threading

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract
from gan_keras.serving import models
from gan_keras.serving.limits import Limits
from gan_keras.serving.servable import check_origin
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import place, serving, until

SAMPLE = {"signature_name": "sample", "instances": [7]}


@pytest.fixture(scope="module")
def pictures(saved):
    """Seed 7 in each model, as JSON has it."""
    return {
        name: tf.saved_model.load(str(saved / name))
        .signatures["sample"](seed=tf.constant([7], tf.int64))["images"]
        .numpy()
        .tolist()
        for name in ("first", "second")
    }


@pytest.fixture
def base(saved, tmp_path):
    """A base path with version 1."""
    place(saved / "first", tmp_path / "generator", 1)
    return tmp_path / "generator"


def settings(base, **more):
    return ModelSettings(contract.MODEL_NAME, base, **more)


def states(served):
    """{version: state} as REST tells it."""
    status, answer = served.ask("GET", "/v1/models/generator")
    assert status == 200
    return {int(one["version"]): one["state"] for one in answer["model_version_status"]}


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

    def slow(name, version, folder):
        if version == 2:
            assert gate.wait(30)
        return loads(name, version, folder)

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

    def counted(name, version, folder):
        attempts.append(version)
        return loads(name, version, folder)

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

    def slow(name, version, folder):
        if version == 1:
            assert gate.wait(30)
        return loads(name, version, folder)

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


def warm_up(folder, requests, **options):
    file = folder / contract.WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file), **options) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


def seeds(*values, signature="sample", key="seed", dtype=np.int64):
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    request.inputs[key].CopyFrom(tf.make_tensor_proto(np.array(values, dtype)))
    return request


def test_warm_up_runs_every_request(saved, base, monkeypatch):
    runs, call = [], models.Servable.signature

    def noted(self, name):
        runs.append((self.version, name))
        return call(self, name)

    monkeypatch.setattr(models.Servable, "signature", noted)
    with serving(settings(base)) as served:
        (base / "making").mkdir()
        shutil.copytree(saved / "second", base / "making", dirs_exist_ok=True)
        warm_up(base / "making", [seeds(1), seeds(1, 2), seeds(3, signature="png")])
        (base / "making").rename(base / "2")
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE"})
        assert runs == [(2, "sample"), (2, "sample"), (2, "png")]
        line = f"loaded model `generator` version 2 from {base}/2, warmed by 3 requests"
        assert line in served.lines


@pytest.mark.parametrize(
    ("requests", "options", "said"),
    [
        ([seeds(1), seeds(1, signature="jpeg")], {}, "warm-up request 2: .*no signature `jpeg`"),
        ([seeds(1, key="seeds")], {}, "warm-up request 1: .*no input `seeds`"),
        ([seeds(1, dtype=np.int32)], {}, "warm-up request 1: .*dtype int32 received"),
        ([seeds([1])], {}, r"warm-up request 1: .*shape \(1, 1\) received"),
        ([seeds(1)] * 1001, {}, "more than 1000 records"),
        ([seeds(1)], {"options": "GZIP"}, "corrupted record"),
    ],
)
def test_bad_warm_up_stops_the_load(base, requests, options, said):
    warm_up(base / "1", requests, **options)
    with pytest.raises(UserError, match=f"nothing to serve: .*{said}"), serving(settings(base)):
        pass


def test_records_of_other_methods_warm_nothing(base):
    file = base / "1" / contract.WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    log = prediction_log_pb2.PredictionLog()
    log.classify_log.request.model_spec.name = contract.MODEL_NAME
    with tf.io.TFRecordWriter(str(file)) as writer:
        writer.write(log.SerializeToString())
    with serving(settings(base)) as served:
        assert served.lines[0] == f"loaded model `generator` version 1 from {base}/1"


@pytest.fixture
def hang():
    """What a call waits for that hangs; at the end of the test it is let go."""
    over = threading.Event()
    yield over
    over.set()


def test_a_load_that_hangs_holds_up_nobody(saved, base, pictures, monkeypatch, hang):
    """A fifo for a model, or a dead mount: others go on; it is taken when it is done after all."""
    loads, begun = models.Servable, []

    def hanging(name, version, folder):
        if version == 2:
            begun.append(version)
            assert hang.wait(60)
        return loads(name, version, folder)

    monkeypatch.setattr(models, "Servable", hanging)
    monkeypatch.setattr(models, "FIRST_RETRY", 0.02)
    other = ModelSettings("other", base.with_name("other"))
    place(saved / "first", other.base_path, 1)
    with serving(settings(base, newest=2), other, limits=Limits(load_seconds=3)) as served:
        place(saved / "second", base, 2)
        until(lambda: begun)
        place(saved / "second", other.base_path, 5)
        other_loaded = f"loaded model `other` version 5 from {other.base_path}/5"
        until(lambda: other_loaded in served.lines)
        place(saved / "second", base, 3)
        until(lambda: states(served) == {1: "END", 2: "END", 3: "AVAILABLE"})
        assert sample(served) == (200, {"predictions": pictures["second"]})
        (complaint,) = served.complaints
        assert f"{base}/2 cannot be loaded: not done within 3 s; others go first" in complaint
        assert begun == [2]  # one thread only, however often the folder is looked at
        hang.set()
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE", 3: "AVAILABLE"})
        assert begun == [2]


def test_a_server_whose_load_hangs_ends(saved, base, monkeypatch, hang):
    loads, begun = models.Servable, []

    def hanging(name, version, folder):
        if version == 2:
            begun.append(version)
            assert hang.wait(60)
        return loads(name, version, folder)

    monkeypatch.setattr(models, "Servable", hanging)
    with serving(settings(base)) as served:
        place(saved / "second", base, 2)
        until(lambda: begun)
        served.end()
        served.thread.join(30)
        assert not served.thread.is_alive()
        assert not hang.is_set()


def test_a_folder_that_cannot_be_listed_in_time(saved, base, monkeypatch, hang):
    """One look at a time; the other models are followed."""
    lists, looks = ModelSettings.wanted, []

    def hanging(self):
        if self.base_path == base and base.with_name("dead").exists():
            looks.append(self)
            assert hang.wait(60)
        return lists(self)

    monkeypatch.setattr(ModelSettings, "wanted", hanging)
    monkeypatch.setattr(models, "LIST_SECONDS", 0.05)
    other = ModelSettings("other", base.with_name("other"))
    place(saved / "first", other.base_path, 1)
    with serving(settings(base), other) as served:
        base.with_name("dead").touch()
        until(lambda: served.complaints)
        assert served.complaints == [f"model `generator`: {base}: not listed within 0.05 s"]
        place(saved / "second", other.base_path, 2)
        until(lambda: f"loaded model `other` version 2 from {other.base_path}/2" in served.lines)
        assert sample(served)[0] == 200
        assert len(looks) == 1


def test_a_version_that_cannot_be_looked_at_is_its_own_trouble(saved, base, pictures):
    """As a link into a folder without permission; a name too long fails for root as well."""
    with serving(settings(base)) as served:
        (base / "3").symlink_to("a" * 300)
        until(lambda: served.complaints)
        (complaint,) = served.complaints
        assert complaint.startswith(f"model `generator` version 3: {base}/3 cannot be loaded: ")
        assert sample(served) == (200, {"predictions": pictures["first"]})
        place(saved / "second", base, 4)
        until(lambda: states(served) == {1: "END", 3: "END", 4: "AVAILABLE"})


def test_a_foreign_model_is_refused_before_it_is_loaded(saved, tmp_path, monkeypatch):
    place(saved / "odd", tmp_path / "odd", 1)
    odd = ModelSettings("odd", tmp_path / "odd")

    def loaded(*arguments):
        raise AssertionError("loaded")

    with monkeypatch.context() as patched:
        patched.setattr(models, "Servable", loaded)
        said = "none of gan-keras-export; serve only what you trust, with --allow_foreign_models"
        with pytest.raises(UserError, match=said), serving(odd, allow_foreign_models=False):
            pass
    with serving(odd) as served:
        assert served.lines[0].startswith("loaded model `odd`")


def test_a_name_of_ours_with_an_input_of_another_kind_is_foreign(tmp_path):
    def save(name, **inputs):
        module = tf.Module()
        module.call = tf.function(lambda **given: dict(given)).get_concrete_function(**inputs)
        tf.saved_model.save(module, str(tmp_path / name), signatures={"sample": module.call})
        return tmp_path / name

    check_origin(
        save(
            "ours",
            seed=tf.TensorSpec([None], tf.int64, name="seed"),
            label=tf.TensorSpec([None], tf.int64, name="label"),
        )
    )
    for number, spec in enumerate(
        (
            tf.TensorSpec([None, None], tf.int64, name="seed"),
            tf.TensorSpec([None], tf.string, name="seed"),
            tf.TensorSpec(None, tf.int64, name="seed"),
        )
    ):
        folder = save(f"foreign{number}", seed=spec)
        with pytest.raises(ValueError, match="input `seed` of signature `sample` is none of"):
            check_origin(folder)
    folder = save("named", image=tf.TensorSpec([None], tf.int64, name="image"))
    with pytest.raises(ValueError, match="input `image` of signature `sample` is none of"):
        check_origin(folder)
