"""Tiny models, written once, and one server for all tests that change nothing."""

import threading

import pytest

from gan_keras.exporting import contract
from gan_keras.serving import servable
from gan_keras.serving.limits import Limits
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import place, save_generator, save_oddities, serving


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Version folders to copy from: `first`, `second` (other weights), `odd`."""
    folder = tmp_path_factory.mktemp("saved")
    save_generator(folder / "first")
    save_generator(folder / "second", scale=0.5)
    save_oddities(folder / "odd")
    return folder


@pytest.fixture(scope="session")
def served(saved, tmp_path_factory):
    """One server for all tests that change nothing: models `generator` and `odd`."""
    folder = tmp_path_factory.mktemp("served")
    place(saved / "first", folder / "generator", 1)
    place(saved / "second", folder / "generator", 2)
    place(saved / "odd", folder / "odd", 7)
    labels = {"stable": 1, "canary": 2}
    generator = ModelSettings(contract.MODEL_NAME, folder / "generator", None, labels=labels)
    # Far beyond the defaults, which test_limits.py is about: what is large is answered too.
    limits = Limits(body_bytes=64 * 2**20, values=10**7, rows=10**6, seconds=600)
    with serving(generator, ModelSettings("odd", folder / "odd"), limits=limits) as running:
        yield running


@pytest.fixture
def gate(monkeypatch):
    """Holds every run of the signature `sample`; counts those that wait."""
    call = servable.Signature.__call__
    opened, waiting = threading.Event(), []

    def held(self, *arguments, **more):
        if self.name == "sample":
            waiting.append(self)
            assert opened.wait(30)
        return call(self, *arguments, **more)

    monkeypatch.setattr(servable.Signature, "__call__", held)
    yield opened, waiting
    opened.set()
