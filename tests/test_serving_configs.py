"""The operator's files: read by the real message types, and held against contract.py."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from gan_keras.drawing import images
from gan_keras.exporting import contract, operator_files
from tests.ports import held_ports

ROOT = Path(__file__).parent.parent
SERVING = ROOT / "serving"

README = (SERVING / "README.md").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((SERVING / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICE = COMPOSE["services"]["serving"]
FLAGS = dict(flag.removeprefix("--").split("=") for flag in SERVICE["command"])


def parse(message, text):
    return text_format.Parse(text, message())


def models(text):
    return parse(model_server_config_pb2.ModelServerConfig, text).model_config_list.config


def test_models_config_serves_the_model_of_the_contract():
    (model,) = models((SERVING / "models.config").read_text())
    assert model.name == contract.MODEL_NAME
    assert model.model_platform == "tensorflow"
    assert model.base_path == "/models/generator"


def test_the_example_of_versions_and_labels_is_one():
    text = (SERVING / "models.config").read_text()
    example = text.partition("#\n    # model_version_policy")
    assert example[1]
    uncommented = re.sub(r"(?m)^(\s*)# ", r"\1", "    # model_version_policy" + example[2])
    (model,) = models(example[0] + uncommented)
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert dict(model.version_labels) == {"stable": 1, "canary": 2}


def test_batching_config_is_the_contracts():
    kind = operator_files.messages()["BatchingParameters"]
    batching = parse(kind, (SERVING / "batching.config").read_text())
    assert tuple(batching.allowed_batch_sizes) == contract.ALLOWED_BATCH_SIZES
    assert batching.max_batch_size.value == contract.MAX_BATCH_SIZE
    # What TensorFlow Serving demands of them.
    assert list(contract.ALLOWED_BATCH_SIZES) == sorted(set(contract.ALLOWED_BATCH_SIZES))
    assert contract.ALLOWED_BATCH_SIZES[-1] == contract.MAX_BATCH_SIZE
    assert batching.num_batch_threads.value >= 1
    assert 0 < batching.batch_timeout_micros.value < 100_000
    assert batching.max_enqueued_batches.value >= 1


@pytest.mark.parametrize("bad", ["max_batch_size: 64", "max_batch_sizes { value: 64 }"])
def test_a_mistake_in_batching_config_would_be_noticed(bad):
    with pytest.raises(text_format.ParseError):
        parse(operator_files.messages()["BatchingParameters"], bad)


def test_monitoring_config_is_at_the_documented_path():
    kind = operator_files.messages()["MonitoringConfig"]
    monitoring = parse(kind, (SERVING / "monitoring.config").read_text()).prometheus_config
    assert monitoring.enable
    assert f"http://127.0.0.1:8501{monitoring.path}>" in README
    assert f"metrics_path: {monitoring.path}\n" in README


def mounts(service):
    """Target -> source in the checkout, with the variables' defaults."""
    found = {}
    for volume in service["volumes"]:
        source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", volume["source"])
        assert volume["read_only"] is True
        found[volume["target"]] = (SERVING / source).resolve()
    return found


def test_compose_gives_the_server_files_that_exist():
    mounted = mounts(SERVICE)
    (model,) = models((SERVING / "models.config").read_text())
    assert mounted == {"/serving": SERVING, model.base_path: ROOT / "exports" / "digits"}
    for flag in ("model_config_file", "batching_parameters_file", "monitoring_config_file"):
        path = Path(FLAGS[flag])
        assert path.parent == Path("/serving")
        assert (SERVING / path.name).is_file()
    assert mounts(COMPOSE["services"]["tensorboard"]) == {"/runs": ROOT / "runs"}


def test_compose_gives_the_flags_that_belong_together():
    assert FLAGS["enable_batching"] == "true"  # or the batching file is a start-up error
    assert FLAGS["allow_version_labels_for_unavailable_models"] == "true"
    assert int(FLAGS["grpc_max_threads"]) >= contract.MAX_BATCH_SIZE
    assert "enable_serialization_as_tensor_content" not in FLAGS


def test_compose_opens_the_contracts_ports_to_this_machine_only():
    assert SERVICE["ports"] == [
        f"127.0.0.1:{port}:{port}" for port in (contract.GRPC_PORT, contract.REST_PORT)
    ]
    assert int(FLAGS["rest_api_port"]) == contract.REST_PORT
    assert COMPOSE["services"]["tensorboard"]["ports"] == ["127.0.0.1:6006:6006"]


def test_compose_pins_its_images():
    found = [service["image"] for service in COMPOSE["services"].values()]
    pinned = r"(tensorflow/\w+|prom/prometheus|nginx):v?\d+\.\d+\.\d+"
    assert all(re.fullmatch(pinned, image) for image in found), found


def test_the_script_is_a_script_and_asks_what_the_health_check_asks():
    script = ROOT / "scripts" / "test_serving.sh"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    health = SERVICE["healthcheck"]["test"]
    assert health[:3] == ["CMD", "bash", "-c"]
    request = f"printf 'GET /v1/models/{contract.MODEL_NAME} HTTP/1.0\\r\\n\\r\\n' >&3"
    for text in (health[3], script.read_text()):
        assert request in text
        assert f"exec 3<>/dev/tcp/127.0.0.1/{contract.REST_PORT}" in text


def run_script(tmp_path, docker, **environment):
    """Runs the script with a `docker` that is these lines of bash."""
    if docker is not None:
        program = tmp_path / "docker"
        program.write_text(f'#!/bin/bash\necho "$*" >>{tmp_path}/calls\n{docker}\n')
        program.chmod(0o755)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "mktemp", "rm", "cmp", "grep", "sleep"):
        found = subprocess.run(["bash", "-c", f"type -P {name}"], capture_output=True, text=True)
        (tools / name).symlink_to(found.stdout.strip())
    environment["PATH"] = f"{tmp_path}:{tools}"
    return subprocess.run(
        [ROOT / "scripts" / "test_serving.sh"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("docker", "reason"),
    [
        (None, "there is no docker command here"),
        ("exit 1", "no Docker engine answers (docker info)"),
        ('[ "$1" = info ]', "docker has no compose plugin (docker compose version)"),
    ],
)
def test_the_script_says_why_it_does_nothing(tmp_path, docker, reason):
    result = run_script(tmp_path, docker)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"test_serving: not run: {reason}\n"


def test_the_script_names_a_missing_export(tmp_path):
    result = run_script(tmp_path, "exit 0", EXPORT_DIR="/nowhere")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "test_serving: EXPORT_DIR=/nowhere does not exist; make it with gan-keras-export\n"
    )
    (tmp_path / "empty").mkdir()
    (tmp_path / "again").mkdir()
    result = run_script(tmp_path / "again", "exit 0", EXPORT_DIR=str(tmp_path / "empty"))
    assert result.returncode == 1
    assert "holds no version" in result.stderr


def test_the_script_takes_everything_down_when_the_server_does_not_come_up(tmp_path):
    (tmp_path / "export" / "1").mkdir(parents=True)
    result = run_script(
        tmp_path,
        'case "$*" in *" up "*) echo "port is taken" >&2; exit 3;; esac',
        EXPORT_DIR=str(tmp_path / "export"),
        SAMPLE="cmp",
    )
    assert result.returncode == 3
    assert "port is taken" in result.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [shlex.split(call)[5] for call in calls[2:]] == ["up", "logs", "down"]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_readme_has_the_examples_it_should():
    assert len(blocks("sh")) == 6
    assert len(blocks("python")) == 2
    for signature in (
        contract.LATENTS_SIGNATURE,
        contract.SEED_LATENTS_SIGNATURE,
        contract.SAMPLE_SIGNATURE,
        contract.PNG_SIGNATURE,
    ):
        assert f"| `{signature}` |" in README
    for port in re.findall(r"127\.0\.0\.1:(\d+)", README):
        assert int(port) in (contract.GRPC_PORT, contract.REST_PORT, 6006)


@pytest.fixture(scope="module")
def paste(exported, tmp_path_factory):
    """Runs an example in an empty folder beside the embedded server; the ports are other ones."""
    grpc_port, rest_port = held_ports(2)
    folder = tmp_path_factory.mktemp("paste")
    ours = {str(contract.GRPC_PORT): str(grpc_port), str(contract.REST_PORT): str(rest_port)}
    server = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from gan_keras.cli.serve import run; sys.exit(run())",
            f"--model_base_path={exported.parent}",
            f"--port={grpc_port}",
            f"--rest_api_port={rest_port}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def run(*command, text):
        # The command that the example names may stand in a folder outside PATH, beside python.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        text = re.sub(r"127\.0\.0\.1[:/](85\d\d)", lambda m: m[0].replace(m[1], ours[m[1]]), text)
        if "gan-keras-sample" in text:
            text = text.replace(
                "--transport=rest", f"--transport=rest --server=127.0.0.1:{rest_port}"
            )
        return subprocess.run(
            [*command, text],
            cwd=folder,
            env=os.environ | {"PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    run.folder = folder
    try:
        for line in server.stdout:  # ends where the server does
            if "REST" in line:
                break
        else:
            pytest.fail("the embedded server ended")
        yield run
    finally:
        server.terminate()
        server.communicate(timeout=30)


def test_every_shell_example_works_as_pasted(paste):
    outputs = []
    for text in blocks("sh"):
        result = paste("bash", "-euo", "pipefail", "-c", text=text)
        assert (result.returncode, result.stderr) == (0, ""), text
        outputs.append(result.stdout)
    status, _, numbers, latents, sampled, measured = outputs
    assert re.match(r"[\d,]+ requests of 16 pictures in 1 s by 4 clients from ", measured)
    assert '"AVAILABLE"' in status
    picture = images.decode_png((paste.folder / "seed_7.png").read_bytes())
    numbers = np.array(yaml.safe_load(numbers)["predictions"])
    assert numbers.shape == (2, *picture.shape)
    np.testing.assert_array_equal(numbers[0], picture)  # seed 7 in both
    floats = np.array(yaml.safe_load(latents)["predictions"], np.float32)
    assert floats.shape == (1, *picture.shape)
    assert np.abs(floats).max() <= 1
    assert sampled.startswith("wrote grid.png: 64 pictures of ")
    assert (paste.folder / "grid.png").is_file()


def test_every_python_example_works_as_pasted(paste):
    client, raw = (paste(sys.executable, "-c", text=text) for text in blocks("python"))
    assert (client.returncode, client.stderr) == (0, "")
    assert re.fullmatch(r"\(64, \d+, \d+, \d\) uint8\n", client.stdout)
    assert raw.returncode == 0, raw.stderr
    assert re.fullmatch(r"\(2, \d+, \d+, \d\) uint8\n", raw.stdout)


def test_the_health_check_tells_a_ready_server(paste):
    health = SERVICE["healthcheck"]["test"][3]
    assert paste("bash", "-c", text=health).returncode == 0
    other = health.replace(f"/{contract.MODEL_NAME} ", "/other ")
    assert other != health
    assert paste("bash", "-c", text=other).returncode == 1
