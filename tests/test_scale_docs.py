"""docs/scale.md and its manifest: commands that are some, names that agree, the model's table."""

import json
import math
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from gan_keras import config as configs
from gan_keras.cli import flags, train
from gan_keras.distribution import cluster
from gan_keras.training.run import build

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "scale.md").read_text("utf-8")
SERVICE, JOB = yaml.safe_load_all((DOCS / "kubernetes" / "train.yaml").read_text("utf-8"))
POD = JOB["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]


def config_of(command):
    values = flags.parse(command[1:], train.PROGRAM, train.SUMMARY, train._define)
    return train._config(values)[0]


@pytest.mark.parametrize("line", re.findall(r"^gan-keras-train .*", PAGE, re.MULTILINE))
def test_every_command_of_the_page_is_one(line):
    assert config_of(shlex.split(line)).preset in ("dcgan2015", "digits")


def test_the_cluster_of_the_page_is_one(monkeypatch):
    (text,) = re.findall(r"^export TF_CONFIG='(.*)'$", PAGE, re.MULTILINE)
    monkeypatch.setenv("TF_CONFIG", text)
    assert cluster.from_environment().title(1) == "worker 1 (10.0.0.2:2222)"


def ring_seconds(size, workers, bandwidth, latency):
    """Of one all-reduce: each worker passes a part on to its neighbour until all have all sums."""
    # Whose shares are in what a worker has of each part's sum, as bits: everybody's own first.
    have = [[1 << rank] * workers for rank in range(workers)]
    everybody, passes = 2**workers - 1, 0
    while not all(part == everybody for parts in have for part in parts):
        sent = [(rank, (rank - passes) % workers) for rank in range(workers)]
        passed = [(rank, part, have[rank][part]) for rank, part in sent]
        for rank, part, content in passed:
            have[(rank + 1) % workers][part] |= content
        passes += 1
        assert passes < 2 * workers
    return passes * (size / workers / bandwidth + latency)


def test_the_page_has_the_weights_of_the_mnist_preset():
    """Radford et al. 2015 in small; biases where no normalisation follows."""
    generator = 100 * 6272 + 2 * 128 + 16 * 128 * 64 + 2 * 64 + 16 * 64 + 1
    discriminator = 16 * 64 + 64 + 16 * 64 * 128 + 2 * 128 + 6272 + 1
    gan = build(configs.from_preset("dcgan2015", mixed_precision="float32"))
    for player, weights in ((gan.generator, generator), (gan.discriminator, discriminator)):
        assert sum(math.prod(each.shape) for each in player.trainable_variables) == weights
    megabytes = 4 * (generator + discriminator) / 1e6
    text = f"{generator:,} and {discriminator:,} trainable weights, which makes {megabytes:.2f} MB"
    assert text in PAGE


def test_the_page_s_table_of_larger_clusters_is_the_ring_walked():
    size = 4 * (759_681 + 138_689)
    rows = re.findall(
        r"^\| (\d+) +\| +(\d+) GB/s \| +(\d+) µs \| +([\d.]+) ms \| +(.*) \|$", PAGE, re.MULTILINE
    )
    assert [int(row[0]) for row in rows] == [8, 64, 256]
    for workers, bandwidth, latency, milliseconds, shares in rows:
        link = float(bandwidth) * 1e9, float(latency) * 1e-6
        # The bytes once, and the latency for each of two reductions.
        seconds = ring_seconds(size, int(workers), *link)
        seconds += ring_seconds(0, int(workers), *link)
        assert f"{1e3 * seconds:.2f}" == milliseconds
        expected = [f"{100 * step / (step + seconds):.0f} %" for step in (1e-3, 1e-2, 1e-1)]
        assert [share.strip() for share in shares.split("|")] == expected


def test_kinds_and_names_agree():
    assert (SERVICE["apiVersion"], SERVICE["kind"]) == ("v1", "Service")
    assert (JOB["apiVersion"], JOB["kind"]) == ("batch/v1", "Job")
    assert SERVICE["spec"]["clusterIP"] == "None"
    assert SERVICE["spec"]["publishNotReadyAddresses"] is True
    assert SERVICE["spec"]["selector"].items() <= POD["metadata"]["labels"].items()
    assert POD["spec"]["subdomain"] == SERVICE["metadata"]["name"]
    (port,), (open_port,) = SERVICE["spec"]["ports"], CONTAINER["ports"]
    assert port["port"] == open_port["containerPort"]


def test_every_worker_is_a_pod():
    job = JOB["spec"]
    assert job["completionMode"] == "Indexed"
    environment = {each["name"]: each["value"] for each in CONTAINER["env"]}
    assert job["completions"] == job["parallelism"] == int(environment["WORKERS"])
    # A policy of failures is allowed with no other.
    assert POD["spec"]["restartPolicy"] == "Never"
    actions = {rule["action"]: rule for rule in job["podFailurePolicy"]["rules"]}
    assert actions["FailJob"]["onExitCodes"]["values"] == [2]  # errors.UsageError
    assert actions["FailJob"]["onExitCodes"]["containerName"] == CONTAINER["name"]


def test_every_mount_is_a_volume():
    mounts = {each["name"] for each in CONTAINER["volumeMounts"]}
    assert mounts == {each["name"] for each in POD["spec"]["volumes"]}
    for volume in POD["spec"]["volumes"]:
        assert f"`{volume['persistentVolumeClaim']['claimName']}`" in PAGE


def start(tmp_path, program, index=1):
    """Runs the container's command with a program in place of gan-keras-train."""
    stub = tmp_path / "gan-keras-train"
    stub.write_text(f"#!/bin/bash\n{program}\n")
    stub.chmod(0o755)
    return subprocess.Popen(
        [*CONTAINER["command"], *CONTAINER["args"]],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "JOB_COMPLETION_INDEX": str(index),
            "WORKERS": "3",
        },
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_pod_s_command_has_the_flags_and_the_cluster(tmp_path, monkeypatch):
    process = start(tmp_path, 'printf "%s\\n" "$TF_CONFIG" "$@"')
    text, *arguments = process.communicate(timeout=60)[0].splitlines()
    assert process.returncode == 0
    monkeypatch.setenv("TF_CONFIG", text)
    found = cluster.from_environment()
    job, service = JOB["metadata"]["name"], SERVICE["metadata"]["name"]
    (port,) = SERVICE["spec"]["ports"]
    # Kubernetes' name of a pod of an indexed Job: job-index.subdomain.
    assert list(found.addresses) == [f"{job}-{i}.{service}:{port['port']}" for i in range(3)]
    assert found.rank == 1
    config = config_of(["gan-keras-train", *arguments])
    assert config.strategy == "multi_worker"
    assert config.batch_size % JOB["spec"]["completions"] == 0
    mounts = {each["mountPath"] for each in CONTAINER["volumeMounts"]}
    assert config.data_dir in mounts
    assert json.loads(text)["task"]["type"] == "worker"


@pytest.mark.parametrize("status", [0, 1, 2])
def test_a_pod_ends_as_its_command_does(status, tmp_path):
    process = start(tmp_path, f"exit {status}")
    process.communicate(timeout=60)
    assert process.returncode == status


def test_a_pod_that_is_stopped_has_not_come_to_its_end(tmp_path):
    process = start(tmp_path, "trap 'echo saved; exit 0' TERM; echo ready; while :; do :; done")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[0] == "saved\n"
    assert process.returncode == 143
