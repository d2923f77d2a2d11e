"""A generator to sample from: a short run and its export, by the package's own commands."""

import subprocess
import sys
from pathlib import Path

from benchmarks import command, processes
from gan_keras.errors import UserError

# Speed does not depend on what a generator has learned, but how far two ways to run it differ does:
# its normalisation must have settled, and its pixels must not all be near 0.
STEPS = 100


def make(folder, network, steps=STEPS):
    """Trains a network for a few steps and exports it.

    Args:
        folder: An existing folder.
        network: `dcgan` or `mlp`.
        steps: Training steps.

    Returns:
        The Path of the run, and those of the folders of its exports in float32 and in bfloat16.

    Raises:
        UserError: one of the commands failed.
    """
    workdir = Path(folder, "run")
    exports = [Path(folder, name) for name in ("export", "export-bfloat16")]
    given = [f"--{name}={value}" for name, value in command.given(network).items()]
    for arguments in (
        ["train.py", *given, f"--workdir={workdir}", f"--steps={steps}"],
        ["export.py", f"--workdir={workdir}", f"--export_dir={exports[0]}"],
        ["export.py", f"--workdir={workdir}", f"--export_dir={exports[1]}", "--dtype=bfloat16"],
    ):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=processes.ROOT, capture_output=True, text=True
        )
        if done.returncode:
            raise UserError(f"{' '.join(arguments)}: {done.stderr.strip() or 'failed'}")
    return workdir, *exports
