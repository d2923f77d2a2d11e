"""Commands and scripts in processes of their own that do not each import TensorFlow.

One process imports and then forks a child for each: TensorFlow survives a fork as long as nothing
was computed before it. What a command does, how it is killed and what it leaves are those of a
process that was started anew.
"""

import contextlib
import importlib.metadata
import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

SERVER = """
import json, os, sys
from gan_keras.cli import evaluate, export, flags, promote, train, verify_resume
flags.import_tensorflow()
import tensorflow as tf
from gan_keras import training
from gan_keras.client import promotion
from gan_keras.evaluation import judge
from gan_keras.exporting import saved_model
from gan_keras.training import verify_resume
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        for number, path in ((1, order["out"]), (2, order["err"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        if order["devices"] > 1:
            os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
            one = tf.config.LogicalDeviceConfiguration()
            cpu = tf.config.list_physical_devices("CPU")[0]
            tf.config.set_logical_device_configuration(cpu, [one] * order["devices"])
        status = 99
        try:
            if "script" in order:
                sys.argv = ["-c", *order["arguments"]]
                exec(compile(order["script"], "<script>", "exec"), {"__name__": "__main__"})
                status = 0
            else:
                status = globals()[order["name"]].run(order["arguments"])
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    print(child, flush=True)
    status = os.waitpid(child, 0)[1]
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


def ours(errors):
    """Lines of standard error, but for those of TensorFlow 2.20 that nothing silences."""
    lines = errors.splitlines()
    if not importlib.metadata.version("tensorflow").startswith("2.20."):
        return lines
    theirs = re.compile(r"WARNING: All log messages before absl|[IWE]\d{4} .*\.(cc|h):\d+\] ")
    return [line for line in lines if not theirs.match(line)]


class Forks:
    """Starts commands one after the other; `close` ends the process that they come from.

    Args:
        folder: Where what they print is kept.
    """

    def __init__(self, folder):
        self.out, self.err = Path(folder, "out"), Path(folder, "err")
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Of AutoGraph, which a child that is ended leaves behind.
            env=os.environ | {"TMPDIR": str(folder)},
        )
        assert self.server.stdout.readline() == b"ready\n"
        self.child = self.status = None

    def start(self, name, *arguments, devices=1):
        """Starts a command by the name of its module."""
        self._order(arguments, name=name, devices=devices)

    def script(self, script, *arguments):
        """Runs a script in Python with arguments; returns what it printed.

        It may `set_visible_devices` and make devices of the CPU.
        """
        self._order(arguments, script=script, devices=1)
        assert self.wait() == 0, self.err.read_text()
        return self.out.read_text()

    def _order(self, arguments, **order):
        order |= {"arguments": [*map(str, arguments)]}
        for path in (self.out, self.err):
            path.write_text("")
        order |= {"out": str(self.out), "err": str(self.err)}
        self.server.stdin.write(json.dumps(order).encode() + b"\n")
        self.server.stdin.flush()
        self.child, self.status = int(self.server.stdout.readline()), None

    def wait(self, seconds=None):
        """Returns the exit status, negative for a signal; None if it is at work still."""
        if self.status is None and select.select([self.server.stdout], [], [], seconds)[0]:
            self.status = int(self.server.stdout.readline())
        return self.status

    def wait_until(self, condition):
        """Waits until the condition holds; returns whether it did before the command ended."""
        while not condition():
            if self.wait(0.002) is not None:
                return condition()
        return True

    def kill(self):
        """Kills the command; returns whether it was still at work."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child, signal.SIGKILL)
        assert self.wait() in (0, -signal.SIGKILL), self.err.read_text()
        return self.status != 0

    def run(self, name, *arguments, devices=1):
        """Runs a command to its end and returns its exit status."""
        self.start(name, *arguments, devices=devices)
        return self.wait()

    def close(self):
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()
