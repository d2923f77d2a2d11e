"""A short load with swaps and broken versions. The long form is in tests/faults/."""

import pytest

from gan_keras.exporting import contract
from gan_keras.serving.settings import ModelSettings
from tests.serving import fire
from tests.serving.harness import serving

CLIENTS, REQUESTS = 4, 8


def test_versions_change_under_load(saved, tmp_path):
    folders = [saved / "first", saved / "second"]
    expected = fire.pictures(folders)
    versions = fire.Versions(folders, tmp_path / "generator")
    versions.publish()
    swapped = []

    def go_on(client):
        return client.answered < REQUESTS or not swapped

    with serving(ModelSettings(contract.MODEL_NAME, versions.base)) as served:

        def told(number):
            return any(f" version {number}: " in line for line in served.complaints)

        with fire.clients(CLIENTS, go_on, served.rest, served.grpc, versions, expected) as clients:
            for how in fire.BREAKAGES[:2]:
                fire.swap(versions, how, told)
            swapped.append(True)
    assert all(client.answered >= REQUESTS for client in clients)


def test_a_wrong_picture_is_seen(saved, tmp_path):
    """The check itself: it fails a server whose weights are not the expected ones."""
    versions = fire.Versions([saved / "first"], tmp_path / "generator")
    versions.publish()
    expected = fire.pictures([saved / "second"])
    with serving(ModelSettings(contract.MODEL_NAME, versions.base)) as served:
        for number in range(2):  # REST and gRPC
            client = fire.Client(number, served.rest, served.grpc, versions, expected)
            with pytest.raises(AssertionError):
                client.ask()
            client.close()
