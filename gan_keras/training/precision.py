"""From `--mixed_precision=auto` to what this machine's devices compute fastest in."""

import re
from pathlib import Path

import tensorflow as tf

# Its scores in bfloat16 were found to be those in float32, docs/performance.md. Not `plain`, whose
# steps with a penalty are slower in bfloat16: two thirds of float32's speed with AVX-512.
JUDGED = ("dcgan",)


def choose(wanted, network):
    """Returns what the layers shall compute in, and why.

    Args:
        wanted: `auto`, or what to compute in, which it then is.
        network: The architecture; `auto` shortens only what was judged.

    Returns:
        `float32`, `bfloat16` or `float16`, and a few words for a person.
    """
    if wanted != "auto":
        return wanted, "as asked for"
    if network not in JUDGED:
        return "float32", f"{network} networks were not judged in bfloat16"
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        flags = cpu_flags()
        if "amx_bf16" in flags:
            return "bfloat16", "this CPU multiplies its matrices in tiles, AMX"
        if "avx512_bf16" in flags:
            return "bfloat16", "this CPU multiplies it by AVX-512, a step in two thirds of the time"
        return "float32", "this CPU has no arithmetic of its own for bfloat16"
    # NVIDIA's tensor cores take bfloat16 from compute capability 8.0 on.
    capability = min(_capability(gpu) for gpu in gpus)
    known = ".".join(map(str, capability)) if any(capability) else "unknown"
    why = f"GPUs of compute capability {known}"
    return ("bfloat16" if capability >= (8, 0) else "float32"), why


def cpu_flags():
    """The names of what this CPU can do; none where Linux does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return found[1].split() if found else []


def _capability(gpu):
    return tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
