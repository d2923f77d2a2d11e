"""An edited --model_config_file while the server runs, and promotion by it."""

import contextlib
import json
import os

import pytest

from gan_keras import files
from gan_keras.cli import promote
from gan_keras.exporting import contract
from gan_keras.serving import models, settings
from tests.evaluation.test_score_verdicts import card
from tests.serving.harness import place, serving, until

SAMPLE = {"signature_name": "sample", "instances": [7]}


def write(path, base, labels, versions=(1, 2), more=""):
    labelled = "".join(
        f'    version_labels {{ key: "{label}" value: {version} }}  # kept\n'
        for label, version in labels.items()
    )
    policy = " ".join(f"versions: {version}" for version in versions)
    text = (
        "model_config_list {\n"
        f'  config {{\n    name: "generator"\n    base_path: "{base}"\n'
        '    model_platform: "tensorflow"\n'
        f"    model_version_policy {{ specific {{ {policy} }} }}\n{labelled}  }}\n{more}}}\n"
    )
    files.write(path, text.encode())


@pytest.fixture
def config(saved, base, tmp_path):
    """A configuration with versions 1, `stable`, and 2, `canary`."""
    place(saved / "second", base, 2)
    path = tmp_path / "models.config"
    write(path, base, {"stable": 1, "canary": 2})
    return path


@contextlib.contextmanager
def running(path, **options):
    found = settings.from_file(path)
    with serving(*found, config_file=path, config_seconds=0.02, **options) as served:
        yield served


def sample(served, choice):
    status, answer = served.ask("POST", f"/v1/models/generator{choice}:predict", SAMPLE)
    return answer["predictions"] if status == 200 else answer["error"]


def test_a_label_moves_and_a_mistake_changes_nothing(base, config, pictures):
    with running(config) as served:
        assert sample(served, "/labels/stable") == pictures["first"]
        write(config, base, {"stable": 2})
        until(lambda: sample(served, "/labels/stable") == pictures["second"])
        assert "no version label `canary`" in sample(served, "/labels/canary")
        good = config.read_text()
        for number, (text, told) in enumerate(
            [
                ("model_config_list {", "not a ModelServerConfig"),
                (good.replace(f'"{base}"', '"base"'), "must be an absolute path"),
                ("", "names no model"),
            ]
        ):
            files.write(config, text.encode())
            until(lambda number=number: len(served.complaints) == number + 1)
            assert told in served.complaints[-1]
            assert served.complaints[-1].endswith("what was served stays")
            assert sample(served, "/labels/stable") == pictures["second"]
        config.unlink()
        until(lambda: len(served.complaints) == 4)
        assert "No such file" in served.complaints[-1]
        write(config, base, {"stable": 1})
        until(lambda: sample(served, "/labels/stable") == pictures["first"])


def test_a_file_that_cannot_be_read_in_time(base, config, pictures, tmp_path, monkeypatch):
    """Nobody writes into a pipe; it is told, and when the look is over the next one follows."""
    monkeypatch.setattr(models, "LOOK_SECONDS", 0.05)
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    os.link(pipe, link)
    with running(config) as served:
        link.replace(config)
        until(lambda: served.complaints)
        assert served.complaints == [f"{config}: not read within 0.05 s; what was served stays"]
        write(config, base, {"stable": 2})
        pipe.write_bytes(b"")  # at which reading it ends
        until(lambda: sample(served, "/labels/stable") == pictures["second"])


def test_a_label_of_a_version_that_is_not_loaded_changes_nothing(base, config, pictures):
    """All or nothing: the policy that stands beside it is not taken over either."""
    write(config, base, {"stable": 1}, [1])
    with running(config, allow_unavailable_labels=True) as served:
        write(config, base, {"stable": 2}, [1, 2])
        until(lambda: served.complaints)
        assert (
            "version label `stable` points at version 2, which is not loaded"
            in (served.complaints[0])
        )
        assert sample(served, "") == pictures["first"]
        assert sample(served, "/labels/stable") == pictures["first"]
        # A new label may come before its version, and the old one follows when that is loaded.
        write(config, base, {"stable": 1, "canary": 2}, [1, 2])
        until(lambda: sample(served, "/labels/canary") == pictures["second"])
        write(config, base, {"stable": 2, "canary": 2}, [1, 2])
        until(lambda: sample(served, "/labels/stable") == pictures["second"])
        assert len(served.complaints) == 1


def test_new_labels_need_their_flag(base, config, pictures):
    write(config, base, {"stable": 1}, [1])
    with running(config) as served:
        write(config, base, {"stable": 1, "canary": 2}, [1, 2])
        until(lambda: served.complaints)
        assert "`canary` points at version 2, which is not loaded" in served.complaints[0]
        write(config, base, {"stable": 1}, [1, 2])
        until(lambda: sample(served, "/versions/2") == pictures["second"])


@pytest.mark.parametrize("poll_seconds", [0.02, 0])
def test_models_come_and_go(saved, base, config, pictures, tmp_path, poll_seconds):
    place(saved / "first", tmp_path / "more", 1)
    more = f'config {{ name: "more" base_path: "{tmp_path}/more" model_platform: "tensorflow" }}\n'
    with running(config, poll_seconds=poll_seconds) as served:
        write(config, base, {"stable": 1}, more=more)
        answer = until(
            lambda: next(
                (a for s, a in [served.ask("POST", "/v1/models/more:predict", SAMPLE)] if s == 200),
                None,
            )
        )
        assert answer["predictions"] == pictures["first"]
        write(config, base, {"stable": 1}, [1])
        until(lambda: served.ask("GET", "/v1/models/more")[0] == 404)
        until(lambda: "no version 2 to serve" in sample(served, "/versions/2"))
        assert "model `more` is no longer served" in served.lines
        assert not served.complaints


def score(base, version, low, high, samples=100):
    """Writes a model card with one score."""
    fields = card(low, high, samples=samples).__dict__
    text = {"run": "run", "step": 1, "temperature": 1.0, "scores": [fields]}
    (base / str(version) / contract.MODEL_CARD_FILE).write_text(json.dumps(text))


def command(base, config, *more):
    return promote.run([f"--export_dir={base}", f"--model_config_file={config}", *more])


def test_canary_becomes_stable_and_back(base, config, pictures, capsys):
    score(base, 1, 4, 6)
    score(base, 2, 1, 3)
    with running(config) as served:
        assert command(base, config, f"--server={served.rest}") == 0
        # The command waits until the server has it.
        assert sample(served, "/labels/stable") == pictures["second"]
        printed = capsys.readouterr().out
        assert "| version 2: run, step 1 | 2 [1, 3]" in printed
        assert "frechet distance (pixels): version 2 is better" in printed
        assert "moved: label `stable` of `generator` from 1 to 2 in " in printed
        assert config.read_text().count("# kept") == 2
        back = [
            line for line in printed.splitlines() if line.startswith("back:  gan-keras-promote")
        ]
        assert back[0].endswith("--to=stable --rollback")

        assert command(base, config, f"--server={served.rest}") == 0
        assert "already" in capsys.readouterr().out

        assert command(base, config, f"--server={served.rest}", "--rollback") == 0
        assert sample(served, "/labels/stable") == pictures["first"]
        assert sample(served, "/labels/canary") == pictures["second"]
        assert command(base, config, f"--server={served.rest}", "--rollback") == 2
        assert "has no record of an earlier version of `stable`" in capsys.readouterr().err
        assert not served.complaints


def refused(capsys, base, config, *more, status=1):
    before = config.read_bytes()
    assert command(base, config, "--server=", *more) == status
    assert config.read_bytes() == before
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_worse_version_is_refused_unless_forced(base, config, capsys):
    score(base, 1, 4, 6)
    score(base, 2, 7, 9)
    line = refused(capsys, base, config)
    assert "version 2 is worse in frechet distance (pixels); nothing was moved (--force" in line
    assert command(base, config, "--server=", "--force") == 0
    assert "moved all the same" in capsys.readouterr().err
    assert settings.from_file(config)[0].labels == {"stable": 2, "canary": 2}


def test_versions_that_cannot_be_compared(base, config, capsys, tmp_path):
    score(base, 1, 4, 6)
    line = refused(capsys, base, config)
    assert "model_card.json: missing or corrupt; --export_dir must hold version 2" in line
    (base / "2" / contract.MODEL_CARD_FILE).write_text('{"run": "run", "step": 1}')
    line = refused(capsys, base, config)
    assert "version 2 has no score cards; run gan-keras-evaluate on its run" in line
    score(base, 2, 4, 6, samples=50)
    line = refused(capsys, base, config)
    assert "no score was measured by the same protocol on both sides" in line
    # Measured after the export.
    later = tmp_path / "later.json"
    later.write_text(json.dumps(card(5, 7).__dict__))
    assert command(base, config, "--server=", f"--scores={later}") == 0
    assert "the intervals overlap" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "status", "told"),
    [
        (["--from=best"], 2, "has no label `best`; it has `canary`, `stable`"),
        (["--to=a b"], 2, "--to=a b: a label is made of letters, digits and _ only"),
        (["--to="], 2, "--to=: a label"),
        (["--model=other"], 2, "no model `other`; --model may be `generator`"),
        (["--rollback"], 2, "has no record of an earlier version of `stable` of `generator`"),
        (["--model_config_file=/missing"], 2, "cannot be read: No such file"),
        (["--export_dir=/missing"], 2, "--export_dir=/missing: No such file"),
        (["--export_dir="], 2, "--export_dir: required"),
    ],
)
def test_mistakes_are_one_line(base, config, capsys, argv, status, told):
    assert told in refused(capsys, base, config, *argv, status=status)


def test_a_version_that_the_policy_does_not_serve(base, config, capsys):
    write(config, base, {"stable": 1, "canary": 2}, [1])
    assert "version 2 is not served; name it in" in refused(capsys, base, config, status=2)


def test_a_server_that_does_not_have_the_version(base, config, capsys):
    score(base, 1, 4, 6)
    score(base, 2, 4, 6)
    before = config.read_bytes()
    path = config.with_name("other.config")
    write(path, base, {"stable": 1}, [1])
    with running(path) as served:
        more = [f"--server={served.rest}", "--timeout=0"]
        assert command(base, config, *more) == 1
        assert "version 2 is not AVAILABLE after 0 s" in capsys.readouterr().err
        assert config.read_bytes() == before
        # It has the version, and reads another file.
        write(path, base, {"stable": 1}, [1, 2])
        until(
            lambda: "error" not in served.ask("GET", "/v1/models/generator/versions/2/metadata")[1]
        )
        assert command(base, config, *more) == 1
        assert "`stable` is still 1 after 0 s, though the file says 2" in capsys.readouterr().err
    assert command(base, config, *more, "--rollback") == 1
    assert f"--server={served.rest}: cannot be asked: " in capsys.readouterr().err
