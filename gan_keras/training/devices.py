"""How the devices compute: XLA, TF32, determinism, memory; and what is said when they cannot."""

import contextlib
import os
import platform
import re

import tensorflow as tf

from gan_keras.distribution import strategy as strategies
from gan_keras.errors import UsageError, UserError, memory_reported
from gan_keras.game import compiled_step
from gan_keras.training import precision

# TensorFlow's own: without it the first process takes all of a card's memory.
ALLOW_GROWTH = "TF_FORCE_GPU_ALLOW_GROWTH"
# TensorFlow's own, too. Unset, it counts as 1 on CPUs with one of these, as of 2.21.
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
ONEDNN_UNASKED = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}


def prepare(config):
    """Sets what holds for the whole process, before a device is used.

    Args:
        config: A Config; of it count `tf32` and `deterministic`.
    """
    os.environ.setdefault(ALLOW_GROWTH, "true")
    tf.config.experimental.enable_tensor_float_32_execution(config.tf32)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def choose_jit_compile(wanted, strategy, deterministic=False):
    """Returns whether XLA compiles the training step, and why.

    Args:
        wanted: `auto`, `true` or `false`.
        strategy: The run's strategy.
        deterministic: Whether only deterministic operators are used.

    Raises:
        UsageError: replicas would share a compiled step, be it one alone, or it would have to be
            deterministic.
    """
    if wanted == "false":
        return False, "as asked for"
    if compiled_step.is_for_replicas(strategy):
        against, remedy = "replicas add up their gradients within a step", "--strategy=one_device"
    elif deterministic:
        against, remedy = "Keras compiles no deterministic step", "--nodeterministic"
    else:
        against = None
    if wanted == "true":
        if against:
            raise UsageError(f"--jit_compile=true: {against}; use auto, or {remedy}")
        return True, "as asked for"
    if against:
        return False, against
    if strategies.kind(strategy) == "GPU":
        return True, "one GPU"
    return False, "a CPU is slower by it"


def describe(config, jit_compile, why):
    """Returns what a person may want to know of these settings, as a list of phrases.

    On a CPU there is no TF32, and XLA is worth a word only where it is used.
    """
    on_gpu = bool(tf.config.get_visible_devices("GPU"))
    phrases = []
    if not on_gpu and _lacks_onednn():
        phrases.append(f"without oneDNN (faster: {ONEDNN}=1, before TensorFlow is imported)")
    if on_gpu:
        phrases.append(f"TF32 {'on' if config.tf32 else 'off'}")
    if on_gpu or jit_compile:
        phrases.append(f"{'compiled' if jit_compile else 'not compiled'} by XLA ({why})")
    if config.deterministic:
        phrases.append("deterministic operators only")
    if on_gpu:
        grows = os.environ.get(ALLOW_GROWTH) == "true"
        phrases.append(f"memory taken {'as needed' if grows else 'at once'}")
    return phrases


def _lacks_onednn():
    if platform.machine() != "x86_64":
        return False
    unasked = "1" if ONEDNN_UNASKED.intersection(precision.cpu_flags()) else "0"
    return os.environ.get(ONEDNN, unasked).lower() not in ("1", "true")


@contextlib.contextmanager
def reported(config):
    """Makes one line of what a device lacks: memory, a deterministic operator, XLA's tools."""
    smaller = f"--batch_size below {config.batch_size}, or --width below {config.width}"
    remedy = f"stop what else uses the device and resume, or in another --workdir try {smaller}"
    with memory_reported(remedy), _deterministic(config), _tools_of_xla():
        yield


@contextlib.contextmanager
def _deterministic(config):
    try:
        yield
    except tf.errors.UnimplementedError as error:
        if not (config.deterministic and re.search("determinis", str(error), re.IGNORECASE)):
            raise
        operator = error.op.type if error.op is not None else "an operator"
        first = error.message.strip().splitlines()[0][:200]
        raise UsageError(
            f"--deterministic: {operator} has no deterministic form here: {first}; omit the flag"
        ) from None


@contextlib.contextmanager
def _tools_of_xla():
    try:
        yield
    except (tf.errors.OpError, RuntimeError) as error:
        lacking = re.search(r"libdevice|ptxas", str(error))
        if not lacking:
            raise
        raise UserError(
            f"--jit_compile: XLA finds no {lacking[0]}, which is a part of CUDA; run "
            "pip install '.[cuda]' in the checkout, or give --jit_compile=false"
        ) from None
