"""How devices compute, on machines that are only described here; and the lines when they cannot."""

import dataclasses
from types import SimpleNamespace

import pytest
import tensorflow as tf

from gan_keras import config as configs
from gan_keras.cli import evaluate, export, flags
from gan_keras.errors import UsageError, UserError, memory_reported
from gan_keras.training import devices, plan
from tests.conftest import SMALL
from tests.forks import ours


def strategy(kind, replicas=1):
    extended = SimpleNamespace(worker_devices=[f"/job:localhost/task:0/device:{kind}:0"])
    return SimpleNamespace(num_replicas_in_sync=replicas, extended=extended, cluster_resolver=None)


def one_mirror():
    return tf.distribute.MirroredStrategy(["CPU:0"])


@pytest.fixture
def machine(monkeypatch):
    """Sets the compute capabilities of the GPUs that TensorFlow answers with."""

    def set_to(*capabilities):
        ask = tf.config.experimental
        for name in ("list_physical_devices", "get_visible_devices"):
            monkeypatch.setattr(tf.config, name, lambda kind=None: list(capabilities))
        details = [{"compute_capability": each} for each in capabilities]
        monkeypatch.setattr(ask, "get_device_details", lambda gpu: details[capabilities.index(gpu)])

    monkeypatch.setenv(devices.ALLOW_GROWTH, "true")
    monkeypatch.setenv(devices.ONEDNN, "1")
    yield set_to
    ask = tf.config.experimental
    ask.enable_tensor_float_32_execution(True)


@pytest.mark.parametrize(
    ("wanted", "kind", "replicas", "chosen", "why"),
    [
        ("auto", "GPU", 1, True, "one GPU"),
        ("auto", "GPU", 2, False, "add up"),
        ("auto", "CPU", 1, False, "slower"),
        ("auto", "CPU", 4, False, "add up"),
        ("true", "CPU", 1, True, "as asked for"),
        ("false", "GPU", 1, False, "as asked for"),
        ("false", "GPU", 8, False, "as asked for"),
    ],
)
def test_where_xla_compiles_the_step(wanted, kind, replicas, chosen, why):
    result, reason = devices.choose_jit_compile(wanted, strategy(kind, replicas))
    assert result is chosen
    assert why in reason


@pytest.mark.parametrize("made", [lambda: strategy("GPU", 2), one_mirror], ids=["two", "one"])
def test_xla_is_refused_where_replicas_add_up(made):
    """Also by one replica of a strategy for many: it synchronises with itself."""
    with pytest.raises(UsageError, match=r"^--jit_compile=true: .* add up .* --strategy=one_d"):
        devices.choose_jit_compile("true", made())
    chosen, why = devices.choose_jit_compile("auto", made())
    assert not chosen
    assert "add up" in why


def test_xla_compiles_nothing_deterministic():
    with pytest.raises(UsageError, match=r"^--jit_compile=true: .*; use auto, or --nodetermin"):
        devices.choose_jit_compile("true", strategy("GPU"), deterministic=True)
    assert not devices.choose_jit_compile("auto", strategy("GPU"), deterministic=True)[0]


@pytest.mark.parametrize(
    ("fields", "growth", "said"),
    [
        (
            {},
            None,
            "1 GPU replica (SimpleNamespace, --strategy=one_device for one GPU), computing in "
            "bfloat16 (GPUs of compute capability 9.0), TF32 on, compiled by XLA (one GPU), "
            "memory taken as needed",
        ),
        (
            {"tf32": False, "jit_compile": "false", "mixed_precision": "float32"},
            "false",
            "1 GPU replica (SimpleNamespace, --strategy=one_device for one GPU), computing in "
            "float32 (as asked for), TF32 off, not compiled by XLA (as asked for), "
            "memory taken at once",
        ),
    ],
)
def test_the_first_lines_on_a_gpu(fields, growth, said, machine, monkeypatch, tmp_path):
    machine((9, 0))
    if growth:
        monkeypatch.setenv(devices.ALLOW_GROWTH, growth)
    else:
        monkeypatch.delenv(devices.ALLOW_GROWTH)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(plan.strategies, "build", lambda *arguments: strategy("GPU"))
    made = plan.make_plan(configs.from_preset("dcgan2015", **fields), tmp_path)
    assert made.devices == said
    assert tf.config.experimental.tensor_float_32_execution_enabled() is made.config.tf32
    assert made.is_chief


def test_on_a_cpu_only_what_was_asked_for_is_said(machine):
    machine()
    config = configs.from_preset("digits")
    assert devices.describe(config, False, "a CPU is slower by it") == []
    config = dataclasses.replace(config, deterministic=True)
    assert devices.describe(config, True, "as asked for") == [
        "compiled by XLA (as asked for)",
        "deterministic operators only",
    ]


@pytest.mark.parametrize(
    ("cpu", "asked", "lacks"),
    [
        (["avx512f"], None, True),
        (["avx512f", "avx512_vnni"], None, False),
        (["avx512f"], "1", False),
        (["avx512f"], "True", False),
        (["avx512_vnni"], "0", True),
    ],
)
def test_a_cpu_without_onednn_is_told_of_it(cpu, asked, lacks, machine, monkeypatch):
    machine()
    monkeypatch.setattr(devices.precision, "cpu_flags", lambda: cpu)
    monkeypatch.setattr(devices.platform, "machine", lambda: "x86_64")
    monkeypatch.delenv(devices.ONEDNN)
    if asked:
        monkeypatch.setenv(devices.ONEDNN, asked)
    said = devices.describe(configs.from_preset("digits"), False, "a CPU is slower by it")
    phrase = "without oneDNN (faster: TF_ENABLE_ONEDNN_OPTS=1, before TensorFlow is imported)"
    assert said == [phrase] * lacks


def test_no_memory_is_one_line_with_what_to_lower():
    """TensorFlow's own error, of more bytes than a processor can address."""
    config = configs.from_preset("dcgan2015")
    with pytest.raises(UserError) as caught, devices.reported(config):
        tf.fill(tf.constant([2**28, 2**32], tf.int64), 0.0)
    assert str(caught.value) == (
        "the memory of CPU:0 is full, for numbers of shape 268435456x4294967296; stop what else "
        "uses the device and resume, or in another --workdir try --batch_size below 128, or "
        "--width below 64"
    )


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.InternalError(None, None, "CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        tf.errors.ResourceExhaustedError(None, None, "Out of memory while trying to allocate 7"),
        MemoryError(),
    ],
)
def test_every_library_has_words_of_its_own_for_it(error):
    with pytest.raises(UserError, match=r"^the memory is full; wait$"), memory_reported("wait"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        UsageError("--width=1: the memory of OOM"),
        tf.errors.ResourceExhaustedError(None, None, "/a: No space left on device"),
        ValueError("else"),
    ],
)
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught, memory_reported("wait"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("command", "function", "more", "remedy"),
    [
        (evaluate, "gan_keras.evaluation.evaluate", [], "try --num_samples below 10000"),
        (export, "gan_keras.exporting.export", ["--export_dir=x"], "CUDA_VISIBLE_DEVICES=-1"),
    ],
)
def test_scores_and_exports_say_so_too(
    command, function, more, remedy, monkeypatch, small_run, capsys
):
    def full(*arguments):
        raise tf.errors.ResourceExhaustedError(
            None, None, "OOM when allocating tensor with shape[7,8] and type float on /device:GPU:0"
        )

    monkeypatch.setattr(function, full)
    assert command.run([f"--workdir={small_run}", *more]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "the memory of GPU:0 is full, for numbers of shape 7x8; stop what else" in line
    assert line.endswith(remedy)


def test_an_operator_without_determinism_is_refused_with_its_reason():
    said = "A deterministic GPU implementation of X is not available."
    config = dataclasses.replace(configs.from_preset("digits"), deterministic=True)
    with pytest.raises(UsageError) as caught, devices.reported(config):
        raise tf.errors.UnimplementedError(None, None, said)
    assert str(caught.value) == (
        f"--deterministic: an operator has no deterministic form here: {said}; omit the flag"
    )
    with pytest.raises(tf.errors.UnimplementedError), devices.reported(configs.Config()):
        raise tf.errors.UnimplementedError(None, None, said)


def test_without_its_tools_xla_is_refused_with_the_way_around():
    error = tf.errors.InternalError(None, None, "libdevice not found at ./libdevice.10.bc")
    with pytest.raises(UserError) as caught, devices.reported(configs.Config()):
        raise error
    assert str(caught.value) == (
        "--jit_compile: XLA finds no libdevice, which is a part of CUDA; run "
        "pip install '.[cuda]' in the checkout, or give --jit_compile=false"
    )


def test_commands_let_memory_grow_unless_told_otherwise(monkeypatch):
    for value, kept in ((None, "true"), ("false", "false")):
        if value is None:
            monkeypatch.delenv(devices.ALLOW_GROWTH, raising=False)
        else:
            monkeypatch.setenv(devices.ALLOW_GROWTH, value)
        flags.import_tensorflow()
        assert devices.os.environ[devices.ALLOW_GROWTH] == kept


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--jit_compile=true", "compiled by XLA (as asked for)"),
        ("--deterministic", "deterministic operators only"),
    ],
)
def test_a_run_by_xla_or_deterministic_operators(flag, said, forks, tmp_path):
    flags = (*SMALL, "--network=mlp", "--steps=3", f"--workdir={tmp_path / 'run'}")
    assert forks.run("train", *flags, flag) == 0, forks.err.read_text()
    assert ours(forks.err.read_text()) == []
    printed = forks.out.read_text()
    assert f", {said}\n" in printed
    assert "trained to step 3" in printed
