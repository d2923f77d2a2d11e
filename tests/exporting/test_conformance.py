"""A good export passes every rule; one that is made wrong on purpose fails the rule it breaks."""

import json
import shutil
from pathlib import Path

import pytest
from tensorflow.core.protobuf import saved_model_pb2

from gan_keras.cli import check_export
from gan_keras.errors import UserError
from gan_keras.exporting import (
    conformance,
    contract,
    digests,
    saved_model,
    version_files,
    version_graph,
    version_runs,
    warm_up,
)
from tests.exporting.wrong_exports import failures

ROOT = Path(__file__).parent.parent.parent


def test_a_good_export_passes_every_rule_and_the_table_says_so(good, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)  # where serving/ is
    assert check_export.run([str(good.parent)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(good)
    assert lines[1].split() == ["rule", "found"]
    assert lines[-1] == "all rules hold"
    rules = [*version_files.NAME, *version_files.CARD, *version_files.RULES]
    rules += [*version_graph.RULES, *version_runs.RULES]
    rules += ["models.config is accepted", "batches are those of the warm-up"]
    for rule in rules:
        (line,) = (line for line in lines if line.startswith(f"{rule}  "))
        assert line.removeprefix(rule).split()[0] == "ok", line
    assert "bit-identical alone, in any batch and place" in "\n".join(lines)


def test_a_wrong_export_has_exit_status_1_and_is_named(copy, capsys, monkeypatch):
    monkeypatch.chdir(copy)
    shutil.rmtree(copy / "variables")
    assert check_export.run([str(copy)]) == 1
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "FAILED" in line and "variables" in line)
    assert "no variables/variables.index: a server becomes AVAILABLE and answers nothing" in line
    assert sum(" -       not checked" in line for line in lines) >= 10
    assert lines[-1].startswith("1 of ")


@pytest.mark.parametrize(
    ("argv", "status", "told"),
    [
        ([], 2, "give one version folder"),
        (["a", "b"], 2, "give one version folder"),
        (["."], 1, "no version, a folder named by a whole number"),
        (["missing"], 1, "cannot be listed"),
        (["a" * 300], 1, "cannot be listed: File name too long"),
        ([f"--serving_dir={'a' * 300}", "."], 2, "aaa: no folder; give that of models.config"),
        (["--serving_dir=missing", "."], 2, "--serving_dir=missing: no folder"),
    ],
)
def test_mistakes_are_one_line(argv, status, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_export.run(argv) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


@pytest.mark.parametrize(
    ("name", "beside", "told"),
    [
        ("01", None, "is padded"),
        ("v2", None, "is no whole number"),
        (str(2**63), None, "is beyond int64"),
        ("1", "001", "001 and 1 are the same version"),
    ],
)
def test_names_of_version_folders(name, beside, told, tmp_path):
    for each in filter(None, (name, beside)):
        (tmp_path / each).mkdir()
    ((rule, found),) = failures(conformance.run(version_files.NAME, tmp_path / name)).items()
    assert rule in version_files.NAME
    assert told in found


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_file(folder):
    card = json.loads((folder / contract.MODEL_CARD_FILE).read_text())
    card["files"] = digests.of(folder)
    (folder / contract.MODEL_CARD_FILE).write_text(json.dumps(card))
    (folder / contract.WARMUP_FILE).write_text("")


def two_graphs(folder):
    stored = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(stored + stored)  # Messages one after another join.


def no_tag(folder):
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    saved.meta_graphs[0].meta_info_def.tags[:] = ["train"]
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


@pytest.mark.parametrize(
    ("rule", "damage", "told"),
    [
        ("the model card", lambda at: (at / "model_card.json").unlink(), "missing or corrupt"),
        ("the model card", lambda at: (at / "model_card.json").write_text("{}"), "missing or corr"),
        (
            "the model card",
            lambda at: (at / "model_card.json").write_text('{"step": 3, "sha256": "x"}'),
            "missing or corrupt",
        ),
        ("files are as", other_file, "assets.extra/tf_serving_warmup_requests is corrupt"),
        ("saved_model.pb", lambda at: (at / "saved_model.pb").unlink(), "no saved_model.pb"),
        ("saved_model.pb", lambda at: cut(at / "saved_model.pb"), "is no SavedModel, or not all"),
        ("saved_model.pb", two_graphs, "2 graphs with the tag `serve`"),
        ("saved_model.pb", no_tag, "0 graphs with the tag `serve`"),
        ("variables", lambda at: (at / "variables/variables.index").unlink(), "no variables/vari"),
        (
            "variables",
            lambda at: cut(at / "variables/variables.data-00000-of-00001"),
            "cannot be read whole",
        ),
    ],
)
def test_files(copy, rule, damage, told):
    damage(copy)
    rules = {**version_files.CARD, **version_files.RULES}
    ((name, found),) = failures(conformance.run(rules, copy)).items()
    assert name.startswith(rule)
    assert told in found


def test_an_export_that_breaks_a_rule_is_never_published(small_run, tmp_path, monkeypatch):
    write = warm_up.write
    monkeypatch.setattr(warm_up, "write", lambda folder, made: write(folder, {}))
    with pytest.raises(UserError, match=r"nothing was exported.* is not in the warm-up"):
        saved_model.export(small_run, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []
