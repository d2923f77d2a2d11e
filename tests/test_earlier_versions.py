"""What commit d460d1b wrote, the last before the regrouping into rooms, is still read.

`fixtures/d460d1b` was made with that commit's own commands: `digits` (400 steps), its export, and
`pictures_run` on the folder `pictures` (2 steps). `expected.npz` has four latent vectors and what
that commit's generators made of them: `digits` at step 400, and `later`, the same run resumed by
that commit to step 408.
"""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gan_keras
from gan_keras import config as configs
from gan_keras import data
from gan_keras.cli import compare
from gan_keras.errors import UserError
from gan_keras.exporting import contract
from gan_keras.serving.settings import ModelSettings
from tests.serving.harness import serving

FIXTURES = Path(__file__).parent / "fixtures" / "d460d1b"
EXPECTED = dict(np.load(FIXTURES / "expected.npz"))


@pytest.fixture
def earlier(tmp_path, monkeypatch):
    """A copy of the fixtures, as the current folder; files have the times of the record."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    record = json.loads((tmp_path / "pictures_run/data/images.json").read_text())
    for name, _, changed in record["files"]:
        os.utime(tmp_path / "pictures" / name, ns=(changed, changed))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_configuration_is_read_and_newer_fields_have_their_defaults():
    written = json.loads((FIXTURES / "digits/config.json").read_text())
    found = dataclasses.asdict(configs.load(FIXTURES / "digits"))
    defaults = dataclasses.asdict(configs.Config())
    assert found == defaults | written
    assert len(found) > len(written)


def test_its_checkpoint_gives_the_same_samples():
    loaded = gan_keras.load(FIXTURES / "digits")
    assert loaded.step == 400
    assert_allclose(loaded.generate(EXPECTED["latents"]), EXPECTED["digits"], atol=1e-4)


def test_its_run_is_resumed_as_it_would_have_resumed_it(earlier):
    config = dataclasses.replace(configs.load("digits"), steps=408)
    outcome = gan_keras.train(config, "digits")
    assert (outcome.first_step, outcome.last_step) == (400, 408)
    # Between the two steps samples change by 1 and more.
    later = gan_keras.load("digits").generate(EXPECTED["latents"])
    assert_allclose(later, EXPECTED["later"], atol=1e-2)


def test_its_score_cards_are_compared(earlier, capsys):
    assert compare.run(["digits"]) == 0
    run, noise = [line for line in capsys.readouterr().out.splitlines() if "[" in line]
    assert run.startswith("| digits, step 400 ")
    for score in ("4.891 [4.523, 5.199]", "0.04282 [0.02475, 0.0609]", "-22.49 [-23.28, -21.71]"):
        assert score in run
    assert noise.startswith("| uniform noise ")


def test_its_export_is_loaded_and_served():
    loaded = gan_keras.load(FIXTURES / "export")
    assert (loaded.step, loaded.classes, loaded.latent_dim) == (400, (), 4)
    assert_allclose(loaded.generate(EXPECTED["latents"]), EXPECTED["digits"], atol=1e-4)
    pictures = loaded.sample(2, seed=7)
    with serving(ModelSettings(contract.MODEL_NAME, FIXTURES / "export")) as served:
        request = {"signature_name": "sample", "instances": [7, 8]}
        status, answer = served.ask("POST", "/v1/models/generator:predict", request)
        assert status == 200
        assert_array_equal(answer["predictions"], pictures)


def test_its_kept_pixels_are_made_again_from_unchanged_pictures(earlier, caplog):
    config, kept = configs.load("pictures_run"), earlier / "pictures_run/data"
    (cache,) = kept.glob("*.uint8")
    before = cache.read_bytes()
    for _ in range(2):
        assert data.load(config, cache_dir=kept, resumes=True).count == 8
        assert caplog.messages == [
            f"{cache}: kept by an earlier version, without a digest; made again from "
            "folder:pictures"
        ]
    assert cache.read_bytes() == before


def test_changed_pictures_of_its_run_are_refused(earlier):
    """Its pixels have no digest that would tell whether they are whole."""
    (earlier / "pictures/a/0.png").unlink()
    problem = r"^--dataset=folder:pictures: has changed since this run began \(1 removed: a/0.png\)"
    with pytest.raises(UserError, match=problem):
        data.load(
            configs.load("pictures_run"), cache_dir=earlier / "pictures_run/data", resumes=True
        )
