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


def test_a_list_alone_is_what_earlier_versions_wrote(tmp_path):
    (tmp_path / "classes.json").write_text('["a", "b"]')
    assert config.load_classes(tmp_path) == ["a", "b"]


def test_other_names_than_were_written_are_found(tmp_path):
    config.save_classes(["cat", "dog"], tmp_path)
    path = tmp_path / "classes.json"
    path.write_text(path.read_text().replace("cat", "bat"))
    with pytest.raises(UserError, match=r"classes\.json: .*its sha256 is another; restore it"):
        config.load_classes(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}', '{"names": "abc"}'])
def test_a_damaged_file_is_named(text, tmp_path):
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(UserError, match=r"classes\.json: .*; restore it"):
        config.load_classes(tmp_path)
