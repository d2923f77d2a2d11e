"""Versions whose files are not those that were exported: found before they are loaded."""

import shutil

import pytest

import gan_keras
from gan_keras.errors import UserError
from gan_keras.exporting import contract, digests
from gan_keras.serving.servable import Servable


@pytest.fixture
def version(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "1")
    return tmp_path / "1"


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_every_file_has_its_digest(exported):
    card = digests.read_card(exported)
    names = {str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()}
    assert set(card["files"]) == names - {contract.MODEL_CARD_FILE}
    assert len(names) >= 5
    digests.check(exported)


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", contract.WARMUP_FILE]
)
def test_a_corrupt_file_is_named_and_the_version_is_not_loaded(version, name):
    flip(version / name)
    with pytest.raises(UserError, match=rf"{version}: cannot be loaded \({name} is corrupt\)"):
        gan_keras.load(version)
    with pytest.raises(ValueError, match=f"^{name} is corrupt$"):
        Servable("generator", 1, version)
    (version / name).unlink()
    with pytest.raises(ValueError, match=f"^{name} is missing$"):
        Servable("generator", 1, version)


def test_a_corrupt_card_is_named(version):
    path = version / contract.MODEL_CARD_FILE
    path.write_text(path.read_text().replace('"step": 30', '"step": 31'))
    with pytest.raises(UserError, match=r"model_card\.json: missing or corrupt; export the run"):
        gan_keras.load(version)
    with pytest.raises(ValueError, match=r"model_card\.json is corrupt: its sha256 is another"):
        Servable("generator", 1, version)


def test_versions_without_card_or_digests_are_taken(version):
    path = version / contract.MODEL_CARD_FILE
    path.write_text("{}")
    digests.check(version)
    path.unlink()
    digests.check(version)
