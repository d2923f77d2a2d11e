"""Measurements in processes of their own, so that none inherits another's memory or threads.

`python -m benchmarks.processes MODULE.FUNCTION JSON` is one of them, to try or to profile it:
`python -m benchmarks.processes benchmarks.train.measure '{"name": "keras-guide"}'`.
"""

import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from gan_keras.cli import flags
from gan_keras.errors import UserError

ROOT = Path(__file__).parent.parent
READY = "ready"  # What a process prints that waits for its turn.
TURNS = "BENCHMARKS_GIVE_TURNS"  # Set where somebody reads that.
SHOWN_LINES = 20  # Of what a process printed before it failed.
# Set for all alike. TensorFlow's notices would bury the one line that is wanted; those that are
# ready together share the memory of a GPU; and oneDNN is what the commands use.
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "KERAS_BACKEND": "tensorflow",
    "TF_ENABLE_ONEDNN_OPTS": "1",
}


def measure(function, **arguments):
    """Calls a function of this folder in a fresh process, and returns what it returns.

    Arguments and result are of what JSON has.

    Raises:
        UserError: it failed; its last lines go to standard error.
    """
    return Prepared(function, **arguments).measure()


class Prepared:
    """A fresh process that imports and builds what it needs, and then waits for its turn.

    Args:
        function, arguments: As of `measure`; the function may call `turn`.
    """

    def __init__(self, function, **arguments):
        self.command = ["-m", "benchmarks.processes", function, json.dumps(arguments)]
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (`measure` closes it)
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.errors}
        environment = {**os.environ, **ENVIRONMENT, TURNS: "yes"}
        command = [sys.executable, *self.command]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **streams)
        self.lines = []

    def wait(self):
        """Returns when it waits for its turn, or has ended; returns itself."""
        while not self.lines or self.lines[-1].strip() not in (READY, ""):
            self.lines.append(self.process.stdout.readline())
        return self

    def measure(self):
        """Gives it its turn, and returns what the function returns.

        Raises:
            UserError: it failed; its last lines go to standard error.
        """
        with self.process, self.errors:
            rest, _ = self.process.communicate("\n")
            self.errors.seek(0)
            errors = self.errors.read()
        if self.process.returncode:
            print(*errors.splitlines()[-SHOWN_LINES:], sep="\n", file=sys.stderr)
            raise UserError(
                f"python {' '.join(self.command)}: failed with status {self.process.returncode}; "
                "run it alone"
            )
        return json.loads(("".join(self.lines) + rest).splitlines()[-1])


def turn():
    """Says that this process is ready to measure, and returns when it is its turn.

    At once where nobody gives turns; where who gave them has ended, this process ends too.
    """
    if TURNS in os.environ:
        print(READY, flush=True)
        if not sys.stdin.readline():
            sys.exit("its turn never came")


def package(*arguments, seconds=None, environment=None):
    """Runs a command of the package, as `train.py`, to its end, or for at most so many seconds.

    Raises:
        UserError: it failed; the message has its last line.
    """
    command = [sys.executable, *map(str, arguments)]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, **(environment or {})}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **streams) as process:
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.terminate()  # A run saves and stops.
            _, errors = process.communicate()
    if process.returncode:
        raise UserError(f"{' '.join(command)}: {(errors.splitlines() or ['failed'])[-1]}")


@contextlib.contextmanager
def held_addresses(count):
    """Yields as many "127.0.0.1:PORT", which nobody gets by chance until the block ends.

    The ports are bound, but nobody listens: whoever asks for one by its number, with SO_REUSEADDR
    as all servers do, gets it. The operating system gives it to no other who asks for any port.
    """
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def _call(function, arguments="{}"):
    module, name = function.rsplit(".", 1)
    print(json.dumps(getattr(importlib.import_module(module), name)(**json.loads(arguments))))


if __name__ == "__main__":
    sys.exit(flags.guarded("python -m benchmarks.processes", lambda: _call(*sys.argv[1:])))
