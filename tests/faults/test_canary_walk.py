"""serving/README.md, from a run to a canary, to stable, and back: every block pasted, in turn.

The run is small and the ports are free ones; everything else is as it stands there. The commands
are forks of one process, which has imported TensorFlow for all of them.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from tests.conftest import SMALL
from tests.serving.harness import listener, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

README = Path(__file__).parent.parent.parent / "serving" / "README.md"
# What stands for a command: hands its arguments and streams over, and waits for its status.
SHIM = """#!{python}
import os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect("{socket}")
    text = "\\0".join([os.path.basename(sys.argv[0]), os.getcwd(), *sys.argv[1:]])
    socket.send_fds(asked, [text.encode()], [1, 2])
    sys.exit(int(asked.makefile().read() or 99))
"""
FORKS = """
import os, signal, socket, sys, threading
from gan_keras.cli import evaluate, export, flags, promote, sample, serve, train
flags.import_tensorflow()
from gan_keras import training
from gan_keras.evaluation import judge
from gan_keras.exporting import saved_model
import tensorflow_serving.apis.predict_pb2
commands = {{"gan-keras-" + m.__name__.rpartition(".")[2]: m
            for m in (evaluate, export, promote, sample, serve, train)}}
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
with socket.socket(socket.AF_UNIX) as accepting:
    accepting.bind("{socket}")
    accepting.listen()
    while True:
        asking = accepting.accept()[0]
        text, streams, _, _ = socket.recv_fds(asking, 10_000, 2)
        name, folder, *arguments = text.decode().split("\\0")
        if not os.fork():
            status = 99
            try:
                os.chdir(folder)
                for number, stream in zip((1, 2), streams):
                    os.dup2(stream, number)
                    os.close(stream)
                accepting.close()
                status = commands[name].run(arguments)
            except SystemExit as leaving:
                status = leaving.code or 0
            except BaseException:
                import traceback
                traceback.print_exc()
            finally:
                sys.stdout.flush(); sys.stderr.flush()
                asking.sendall(str(status).encode())
                os._exit(0)
        asking.close()
        for stream in streams:
            os.close(stream)
"""
COMMANDS = ("evaluate", "export", "promote", "sample", "serve", "train")


@pytest.fixture
def shell(tmp_path):
    """Runs a block as pasted; returns what it printed."""
    free = [listener() for _ in range(2)]
    grpc_port, rest_port = (str(each).rpartition(":")[2] for each in free)
    for each in free:
        each.socket.close()
    where = f"--server=127.0.0.1:{rest_port}"
    more = {
        "train": " ".join(SMALL[1:]),
        "serve": f"--port={grpc_port} --rest_api_port={rest_port}",
        "sample": where,
        "promote": where,
    }
    tools, at = tmp_path / "tools", f"{tmp_path}/socket"
    tools.mkdir()
    for name in COMMANDS:
        shim = tools / f"gan-keras-{name}"
        shim.write_text(SHIM.format(python=sys.executable, socket=at))
        shim.chmod(0o755)
    path = os.pathsep.join([str(tools), os.environ["PATH"]])
    forks = subprocess.Popen(
        [sys.executable, "-c", FORKS.format(socket=at)], start_new_session=True
    )

    def run(text):
        text = text.replace("8501", rest_port).replace("num_samples=1000", "num_samples=200")
        text = text.replace("--steps=200", "--steps=20").replace("--steps=600", "--steps=60")
        # The resampling of a Fréchet distance takes minutes.
        text = text.replace("--extractor=pixels", "--extractor=pixels --metrics=recall,coverage")
        for name, flags in more.items():
            text = text.replace(f"gan-keras-{name}", f"gan-keras-{name} {flags}")
        printed = tmp_path / "printed"
        with printed.open("w") as out:  # no pipe, which what runs in the background would hold
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text],
                cwd=tmp_path,
                env=os.environ | {"PATH": path},
                stdout=out,
                stderr=out,
            )
        assert done.returncode == 0, printed.read_text()
        return printed.read_text()

    run.folder, run.port = tmp_path, rest_port
    try:
        until(Path(at).exists)
        yield run
    finally:
        os.killpg(forks.pid, signal.SIGTERM)
        forks.wait()


def picture(shell, label):
    path = f"http://127.0.0.1:{shell.port}/v1/models/generator/labels/{label}:predict"
    body = {"signature_name": "png", "instances": [7]}
    answer = urllib3.request("POST", path, json=body, retries=False, timeout=60)
    return answer.json()["predictions"][0]["b64"]


def test_from_a_run_to_a_canary_to_stable_and_back(shell):
    section = README.read_text("utf-8").partition("## From a run to a canary")[2]
    blocks = re.findall(r"^```bash\n(.*?)^```", section.partition("\n## ")[0], re.M | re.S)
    train, serve, again, canary, promote, rollback = blocks
    assert "exported exports/digits/1" in shell(train)
    shell(serve)
    assert "exported exports/digits/2" in shell(again)
    assert "wrote canary.png" in shell(canary)
    assert (shell.folder / "canary.png").read_bytes().startswith(b"\x89PNG")
    first, second = picture(shell, "stable"), picture(shell, "canary")
    assert first != second
    printed = shell(promote)
    assert "moved: label `stable` of `generator` from 1 to 2 in " in printed
    assert "`stable` is version 2 after" in printed
    assert picture(shell, "stable") == second
    shell(rollback)
    assert (picture(shell, "stable"), picture(shell, "canary")) == (first, second)
