"""What `--mixed_precision=auto` comes to, on machines that are only described here."""

import pytest

from gan_keras.training import precision


@pytest.fixture
def machine(monkeypatch):
    """Sets the compute capabilities of the GPUs, and the flags of the CPU."""

    def set_to(*capabilities, cpu=()):
        monkeypatch.setattr(
            precision.tf.config, "list_physical_devices", lambda kind: list(capabilities)
        )
        monkeypatch.setattr(precision, "_capability", lambda gpu: gpu)
        monkeypatch.setattr(precision, "cpu_flags", lambda: list(cpu))

    return set_to


@pytest.mark.parametrize(
    ("gpus", "cpu", "chosen", "why"),
    [
        ([], ["avx512f"], "float32", "no arithmetic"),
        ([], ["avx512_bf16"], "bfloat16", "AVX-512"),
        ([], ["avx512_bf16", "amx_bf16"], "bfloat16", "AMX"),
        ([(7, 5)], ["amx_bf16"], "float32", "compute capability 7.5"),
        ([(9, 0), (8, 0)], [], "bfloat16", "compute capability 8.0"),
        ([(9, 0), (7, 0)], [], "float32", "compute capability 7.0"),
        ([(0, 0)], [], "float32", "compute capability unknown"),
    ],
)
def test_auto_asks_the_devices(machine, gpus, cpu, chosen, why):
    machine(*gpus, cpu=cpu)
    name, reason = precision.choose("auto", "dcgan")
    assert name == chosen
    assert why in reason


@pytest.mark.parametrize("network", ["points", "plain", "residual"])
def test_auto_shortens_only_what_was_judged(network, machine):
    machine((9, 0))
    assert precision.choose("auto", network)[0] == "float32"


@pytest.mark.parametrize("wanted", ["float32", "bfloat16", "float16"])
def test_what_was_asked_for_is_what_is_done(machine, wanted):
    machine((9, 0))
    assert precision.choose(wanted, "dcgan")[0] == wanted


def test_this_machine_can_be_asked():
    assert precision.choose("auto", "dcgan")[0] in ("float32", "bfloat16")
    assert all(precision.cpu_flags())
