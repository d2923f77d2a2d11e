"""The rules of the operator's files: each fails on a file that is made wrong on purpose."""

import shutil
from pathlib import Path

import pytest

from gan_keras.exporting import conformance, operator_files

SERVING = Path(__file__).parent.parent.parent / "serving"
VERSIONS = {number: Path(str(number)) for number in (1, 2)}
LABELS = """
model_config_list {
  config {
    name: "generator" base_path: "/models/generator" model_platform: "tensorflow"
    model_version_policy { specific { versions: 1 versions: 2 } }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 2 }
  }
}
"""
TLS = 'server_key: "-----BEGIN X-----\\n" server_cert: "-----BEGIN X-----\\n"'


@pytest.fixture
def folder(tmp_path):
    """The operator's files, with labels and TLS as well."""
    copied = Path(shutil.copytree(SERVING, tmp_path / "serving"))
    (copied / "models.config").write_text(LABELS)
    (copied / "ssl.config").write_text(TLS)
    return copied


def test_ours_pass(folder):
    for place in (SERVING, folder):
        findings = operator_files.check(place, VERSIONS)
        assert not conformance.failed(findings)
    assert [each.ok for each in findings] == [True] * len(findings)
    assert "`canary`: 2, `stable`: 1" in [each.found for each in findings]


@pytest.mark.parametrize(
    ("rule", "file", "old", "new", "told"),
    [
        ("models.config is", "models.config", 'name: "gen', 'nam: "gen', "has no field named"),
        ("models.config is", "models.config", "/models", "models", "must be an absolute path"),
        ("models.config is", "models.config", '"tensorflow"', '"jax"', "model_platform `jax`"),
        ("models.config is", "models.config", 'name: "generator"', 'name: "x"', "no model `gener"),
        ("models.config is", "models.config", "models/generator", "models/7", "ends in a version"),
        ("models.config is", "models.config", '"canary"', '"the-new"', "letters, digits and _"),
        ("labels point", "models.config", "versions: 2", "versions: 3", "version 3 is not there"),
        ("labels point", "models.config", "versions: 2", "", "version 2 is not served"),
        ("labels point", "models.config", "value: 2", "value: 9", "version 9 is not there"),
        (
            "labels point",
            "models.config",
            "model_version_policy { specific { versions: 1 versions: 2 } }",
            "",
            "label `stable`: version 1 is not served",
        ),
        ("batches are", "batching.config", "sizes: 16", "sizes: 2", "do not increase"),
        ("batches are", "batching.config", "value: 64", "value: 32", "max_batch_size is 32"),
        ("batches are", "batching.config", "sizes: 16", "sizes: 8", "not those of the warm-up"),
        (
            "batches are",
            "batching.config",
            "num_batch_threads { value: 4 }",
            "num_batch_threads { value: 0 }",
            "num_batch_threads is 0",
        ),
        ("batches are", "batching.config", "max_batch_size", "max_size", "no BatchingParameters"),
        ("batches are", "batching.config", None, "# nothing", "is empty"),
        ("monitoring.config", "monitoring.config", "enable: true", "enable: 1.5", "no Monitoring"),
        ("monitoring.config", "monitoring.config", "enable: true", "", "enable is False"),
        ("ssl.config", "ssl.config", "-----BEGIN X", "/etc/key.pem", "it takes the contents"),
        ("the server's", "docker-compose.yml", "--enable_batching=true", "--x=1", "--enable_batch"),
        ("the server's", "docker-compose.yml", "--rest_api_port=8501", "--x=1", "nothing is count"),
        (
            "the server's",
            "docker-compose.yml",
            "--allow_version_labels_for_unavailable_models=true",
            "--x=1",
            "labels without --allow_version_labels",
        ),
        (
            "the server's",
            "docker-compose.yml",
            "--grpc_max_threads=256",
            "--enable_serialization_as_tensor_content=true",
            "it dies at a REST request",
        ),
    ],
)
def test_a_wrong_file(folder, rule, file, old, new, told):
    path = folder / file
    text = path.read_text()
    assert old is None or old in text
    path.write_text(new if old is None else text.replace(old, new))
    failed = conformance.failed(operator_files.check(folder, VERSIONS))
    (finding,) = (each for each in failed if each.rule.startswith(rule))
    assert told in finding.found


def test_files_that_are_not_there(tmp_path):
    findings = operator_files.check(tmp_path, VERSIONS)
    (missing,) = (each for each in findings if each.rule == "models.config is accepted")
    assert missing.ok is False
    assert [each.ok for each in findings if "batch" in each.rule] == [None]
