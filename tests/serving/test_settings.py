"""Which models are served: flags, the configuration file, version folders."""

import pytest

from gan_keras.errors import UsageError, UserError
from gan_keras.serving import settings


def config(tmp_path, text):
    path = tmp_path / "models.config"
    path.write_text(text)
    return path


def one(fields):
    return f'model_config_list {{ config {{ name: "g" model_platform: "tensorflow" {fields} }} }}'


def test_file_with_every_policy(tmp_path):
    path = config(
        tmp_path,
        """
        model_config_list {
          config { name: "a" base_path: "/a" model_platform: "tensorflow" }
          config { name: "b" base_path: "/b" model_platform: "tensorflow"
                   model_version_policy { latest { num_versions: 2 } } }
          config { name: "c" base_path: "/c" model_platform: "tensorflow"
                   model_version_policy { all {} } }
          config { name: "d" base_path: "/d" model_platform: "tensorflow"
                   model_version_policy { specific { versions: 3 versions: 5 } }
                   version_labels { key: "stable" value: 3 } }
          config { name: "e" base_path: "/e" model_type: TENSORFLOW
                   model_version_policy { latest {} } }
        }
        """,
    )
    found = settings.from_file(path)
    assert [model.name for model in found] == ["a", "b", "c", "d", "e"]
    assert [str(model.base_path) for model in found] == ["/a", "/b", "/c", "/d", "/e"]
    assert [model.newest for model in found] == [1, 2, None, 1, 1]
    assert [model.specific for model in found] == [None, None, None, {3, 5}, None]
    assert [model.labels for model in found] == [{}, {}, {}, {"stable": 3}, {}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no model"),
        ("model_config_list {}", "names no model"),
        ("custom_model_config {}", "names no model"),
        ("model_config_list {", "not a ModelServerConfig: line and column 1:"),
        (one('base_path: "/g" flavour: 3'), 'no field named "flavour"'),
        (one('base_path: "g"'), "base_path `g` must be an absolute path"),
        (one(""), "base_path `` must be an absolute path"),
        (
            'model_config_list { config { name: "g" base_path: "/g" model_platform: "torch" } }',
            "model_platform `torch` is unknown",
        ),
        (
            'model_config_list { config { name: "g" base_path: "/g" } }',
            "model_platform `` is unknown",
        ),
        (
            'model_config_list { config { base_path: "/g" model_platform: "tensorflow" } }',
            "name must not be empty",
        ),
        (
            one(
                'base_path: "/g" } config { name: "g" base_path: "/h" model_platform: "tensorflow"'
            ),
            "two models are named `g`",
        ),
        (
            one('base_path: "/g" model_version_policy { specific {} }'),
            "specific needs versions >= 0, not []",
        ),
        (
            one('base_path: "/g" model_version_policy { specific { versions: -1 } }'),
            "specific needs versions >= 0, not [-1]",
        ),
        (
            one('base_path: "/g" version_labels { key: "a-b" value: 1 }'),
            "version label `a-b` must be of letters, digits and _ only",
        ),
    ],
)
def test_file_that_is_refused(tmp_path, text, said):
    path = config(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        settings.from_file(path)
    message = str(refused.value)
    assert message.startswith(f"--model_config_file={path}: ")
    assert said in message
    assert "\n" not in message


def test_file_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="No such file or directory"):
        settings.from_file(tmp_path / "none")
    with pytest.raises(UsageError, match="Is a directory"):
        settings.from_file(tmp_path)
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not a text file in UTF-8"):
        settings.from_file(path)


def test_flags(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (model,) = settings.from_flags("g", "exports/digits")
    assert (model.name, model.base_path) == ("g", tmp_path / "exports/digits")
    assert (model.newest, model.specific, model.labels) == (1, None, {})
    with pytest.raises(UsageError, match="--model_base_path: required"):
        settings.from_flags("g", None)
    for name in ("", "a/b", "a:b"):
        with pytest.raises(UsageError, match=f"--model_name={name}: must be"):
            settings.from_flags(name, "exports")


def test_version_folders(tmp_path):
    for name in ("3", "003", "007", "12", "-4", "+5", "1_0", "٣", "1.5", "tmp-13", str(2**63)):
        (tmp_path / name).mkdir()
    (tmp_path / str(2**63 - 1)).mkdir()
    (tmp_path / ("9" * 200)).mkdir()
    (tmp_path / "20").write_text("a file")
    every = {n: tmp_path / name for n, name in ((3, "3"), (7, "007"), (12, "12"))}
    every[2**63 - 1] = tmp_path / str(2**63 - 1)

    def wanted(**policy):
        return settings.ModelSettings("g", tmp_path, **policy).wanted()

    assert wanted(newest=None) == every
    assert wanted() == {2**63 - 1: every[2**63 - 1]}
    assert wanted(newest=2) == {n: every[n] for n in (12, 2**63 - 1)}
    assert wanted(newest=9) == every
    assert wanted(specific=frozenset({3, 4})) == {3: every[3]}


def test_check_folder_says_how_to_export(tmp_path):
    def check(folder, **policy):
        settings.check_folder(settings.ModelSettings("g", folder, **policy))

    export = f"gan-keras-export --workdir <run> --export_dir {tmp_path}"
    with pytest.raises(UserError, match="none does not exist; export a version with gan-keras"):
        check(tmp_path / "none")
    with pytest.raises(UserError, match=f"has no version, .*{export}"):
        check(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be listed: Not a directory"):
        check(tmp_path / "file")
    (tmp_path / "1").mkdir()
    check(tmp_path)
    with pytest.raises(UserError, match=r"none of the versions \[2, 3\]"):
        check(tmp_path, specific=frozenset({2, 3}))
