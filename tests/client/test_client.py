"""What is asked of a server, and what its answers become."""

import subprocess
import sys
from concurrent import futures

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gan_keras.client.client import Client
from gan_keras.errors import UsageError
from gan_keras.exporting import contract
from tests.client.fakes import PATIENCE, FakeGrpc, FakeRest, picture, render


def test_pictures_come_in_the_order_of_their_seeds(fake, client):
    pictures = client.sample(count=150, seed=7)
    assert pictures.dtype == np.uint8
    assert_array_equal(pictures, [picture(seed) for seed in range(7, 157)])
    assert sorted(fake.sizes) == [22, 64, 64]
    assert {asked[:2] for asked in fake.asked} == {(contract.PNG_SIGNATURE, contract.SEED)}


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (64, [64]), (65, [64, 1]), (128, [64, 64])])
def test_no_request_is_too_large_or_empty(fake, client, count, sizes):
    client.sample(count)
    assert sorted(fake.sizes) == sorted(sizes)


@pytest.mark.parametrize("seed", [-(2**63), -1, 2**63 - 2])
def test_seeds_reach_both_ends_of_int64(fake, client, seed):
    assert_array_equal(client.sample(2, seed), [picture(seed), picture(seed + 1)])
    assert fake.asked[0][2].tolist() == [seed, seed + 1]


def test_numpys_integers_are_integers(client):
    assert client.sample(np.int32(2), seed=np.int64(3)).shape == (2, 4, 4, 1)


@pytest.mark.parametrize(
    ("count", "seed", "message"),
    [
        (0, 0, "count must be at least 1, not 0"),
        (-1, 0, "count must be at least 1, not -1"),
        (2.0, 0, "count must be an integer, not 2.0"),
        (1, "0", "seed must be an integer, not '0'"),
        (2, 2**63 - 1, "to 9223372036854775806 for 2 pictures, not 9223372036854775807"),
        (1, -(2**63) - 1, "seed must be from -9223372036854775808"),
    ],
)
def test_a_bad_count_or_seed_never_leaves_the_client(fake, client, count, seed, message):
    with pytest.raises(UsageError, match=message):
        client.sample(count, seed)
    assert not fake.asked


def test_latents_become_images_in_order(fake, client):
    latents = np.random.default_rng(0).normal(size=(70, 5)).astype(np.float32)
    pictures = client.generate(latents)
    assert pictures.dtype == np.float32
    assert_array_equal(pictures, render(latents))
    assert sorted(fake.sizes) == [6, 64]
    assert {asked[:2] for asked in fake.asked} == {(contract.LATENTS_SIGNATURE, contract.LATENTS)}


def test_latents_arrive_bit_for_bit(fake, client):
    latents = np.float32([[1 / 3, 1e-30, -3.4e38, 0.1]])
    client.generate(latents)
    assert_array_equal(fake.asked[0][2], latents)


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (np.zeros((0, 5)), r"latents must be \(n, latent_dim\), none of them 0, not \(0, 5\)"),
        (np.zeros(5), r"latents must be \(n, latent_dim\), none of them 0, not \(5,\)"),
        ([[0.0, np.nan]], "latents must be finite"),
    ],
)
def test_bad_latents_never_leave_the_client(fake, client, latents, message):
    with pytest.raises(UsageError, match=message):
        client.generate(latents)
    assert not fake.asked


def test_version_and_label_are_asked_for(fake):
    with Client(fake.address, fake.transport, version=0) as client:
        client.sample(1)
        if fake.transport == "rest":
            assert fake.path == "/v1/models/generator/versions/0:predict"
        else:
            assert fake.spec.HasField("version")
            assert fake.spec.version.value == 0
    with Client(fake.address, fake.transport, version_label="stable") as client:
        client.sample(1)
        if fake.transport == "rest":
            assert fake.path == "/v1/models/generator/labels/stable:predict"
        else:
            assert fake.spec.version_label == "stable"
    with Client(fake.address, fake.transport) as client:
        client.sample(1)
        if fake.transport == "rest":
            assert fake.path == "/v1/models/generator:predict"
        else:
            assert fake.spec.WhichOneof("version_choice") is None


def test_threads_may_share_a_client(client):
    with futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda seed: client.sample(3, seed), range(24)))
    for seed, pictures in enumerate(results):
        assert_array_equal(pictures, [picture(seed + i) for i in range(3)])


def test_replies_may_pass_grpcs_four_mebibytes():
    class Large(FakeGrpc):
        def code(self, tensor, values):
            for size in (64, 128, 128, 3):
                tensor.tensor_shape.dim.add(size=size)
            tensor.tensor_content = np.arange(64 * 128 * 128 * 3, dtype="<f4").tobytes()

    with Large().serving() as fake, Client(fake.address) as client:
        pictures = client.generate(np.zeros((64, 4)))
    assert_array_equal(pictures.ravel(), np.arange(64 * 128 * 128 * 3, dtype=np.float32))


def test_grpcs_repeated_number_is_spread():
    class Black(FakeGrpc):
        def code(self, tensor, values):
            for size in (2, 4, 4, 1):
                tensor.tensor_shape.dim.add(size=size)
            tensor.float_val.append(-1)

    with Black().serving() as fake, Client(fake.address) as client:
        assert_array_equal(client.generate(np.zeros((2, 4))), np.full((2, 4, 4, 1), -1.0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"server": "http://127.0.0.1:8501"}, "server must be HOST:PORT, not 'http://127"),
        ({"server": "127.0.0.1"}, "server must be HOST:PORT"),
        ({"server": "127.0.0.1:70000"}, "server must be HOST:PORT"),
        ({"transport": "soap"}, "transport must be one of grpc, rest, not 'soap'"),
        ({"model": ""}, "model must not be empty"),
        ({"timeout": 0}, "timeout must be seconds above 0, .* not 0"),
        ({"timeout": float("inf")}, "timeout must be seconds .* 1,000,000 at most, not inf"),
        ({"timeout": 1e30}, "1,000,000 at most, not 1e\\+30"),
        ({"in_flight": 0}, "in_flight must be at least 1, not 0"),
        ({"version": -1}, "version must be an integer from 0, not -1"),
        ({"version": 1, "version_label": "stable"}, "only one can be asked for"),
        ({"version_label": "not-so"}, "version_label must be made of letters, digits and _"),
    ],
)
def test_bad_arguments_are_named(given, message):
    with pytest.raises(UsageError, match=message):
        Client(**{"server": "127.0.0.1:8501", "transport": "rest"} | given)


HEAVY = """
import sys
from gan_keras.client import Client
pictures = Client(sys.argv[1], transport=sys.argv[2]).sample(count=64, seed=0)
assert pictures.shape == (64, 4, 4, 1)
heavy = {"tensorflow", "tensorflow_serving", "grpc", "keras", "urllib3"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize(("server", "library"), [(FakeRest, "urllib3"), (FakeGrpc, "grpc")])
def test_a_transport_imports_its_own_library_and_no_tensorflow(server, library):
    with server().serving() as fake:
        result = subprocess.run(
            [sys.executable, "-c", HEAVY, fake.address, fake.transport],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert (result.stdout, result.stderr) == (f"[{library!r}]\n", "")
