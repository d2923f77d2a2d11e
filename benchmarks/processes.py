"""Measurements in processes of their own, so that none inherits another's memory or threads."""

import json
import os
import subprocess
import sys
from pathlib import Path

from gan_keras.errors import UserError

ROOT = Path(__file__).parent.parent
SHOWN_LINES = 20  # of what a process said before it failed

# Set for all alike; TensorFlow's notices would bury the one line that is wanted.
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}


def measure(module, *arguments):
    """Runs a module of this folder and returns the JSON of its last line.

    Args:
        module: Its name, as `benchmarks.measure`.
        arguments: Its flags.

    Raises:
        UserError: it failed; what it said goes to standard error.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(*done.stderr.splitlines()[-SHOWN_LINES:], sep="\n", file=sys.stderr)
        raise UserError(
            f"python -m {module} {' '.join(map(str, arguments))}: failed with status "
            f"{done.returncode}; run it alone"
        )
    return json.loads(done.stdout.splitlines()[-1])
