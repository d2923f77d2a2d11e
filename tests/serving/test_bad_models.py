"""Loads and looks that never end, and models that are not of this package."""

import threading

import pytest
import tensorflow as tf

from gan_keras.errors import UserError
from gan_keras.serving import models
from gan_keras.serving.limits import Limits
from gan_keras.serving.servable import check_origin
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import place, serving, until
from tests.serving.test_models import sample, settings, states


@pytest.fixture
def hang():
    """What a call waits for that hangs; at the end of the test it is let go."""
    over = threading.Event()
    yield over
    over.set()


def test_a_load_that_hangs_holds_up_nobody(saved, base, pictures, monkeypatch, hang):
    """A fifo for a model, or a dead mount: others go on; it is taken when it is done after all."""
    loads, begun = models.Servable, []

    def hanging(name, version, folder, seconds):
        if version == 2:
            begun.append(version)
            assert hang.wait(60)
        return loads(name, version, folder, seconds)

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
        # A busy machine may take as long for the good ones.
        (complaint,) = [each for each in served.complaints if f"{base}/2 " in each]
        assert "cannot be loaded: not done within 3 s; others go first" in complaint
        assert begun == [2]  # one thread only, however often the folder is looked at
        hang.set()
        until(lambda: states(served) == {1: "END", 2: "AVAILABLE", 3: "AVAILABLE"})
        assert begun == [2]


def test_a_server_whose_load_hangs_ends(saved, base, monkeypatch, hang):
    loads, begun = models.Servable, []

    def hanging(name, version, folder, seconds):
        if version == 2:
            begun.append(version)
            assert hang.wait(60)
        return loads(name, version, folder, seconds)

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
    monkeypatch.setattr(models, "LOOK_SECONDS", 0.05)
    other = ModelSettings("other", base.with_name("other"))
    place(saved / "first", other.base_path, 1)
    with serving(settings(base), other) as served:
        base.with_name("dead").touch()
        until(lambda: served.complaints)
        assert served.complaints == [f"model `generator`: {base}: not read within 0.05 s"]
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
