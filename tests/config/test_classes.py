"""`classes.json`: names there and back, none where there are none, and files that are corrupt."""

import pytest

from gan_keras import config
from gan_keras.errors import UserError


def test_names_come_back_in_their_order(tmp_path):
    config.save_classes(["Ärmel", "cat", "0"], tmp_path / "run")
    assert config.load_classes(tmp_path / "run") == ["Ärmel", "cat", "0"]


def test_a_run_without_labels_has_none(tmp_path):
    assert config.load_classes(tmp_path) == []
    assert config.load_classes(tmp_path / "nowhere") == []


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}'])
def test_a_damaged_file_is_named(text, tmp_path):
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(UserError, match=r"classes\.json: .*; restore it"):
        config.load_classes(tmp_path)
