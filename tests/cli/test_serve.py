"""`gan-keras-serve` as a user meets it: its lines, its mistakes, its end."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest
import urllib3

from gan_keras.cli import serve
from gan_keras.exporting import contract
from tests.forks import ours
from tests.ports import held_ports
from tests.serving import harness

FIRST_LINE = (
    "gan-keras-serve is the embedded server, for machines without Docker;"
    " TensorFlow Serving is the production server (see serving/README.md)"
)
# Runs the command and tells which modules it took, as the last line.
COMMAND = """
import json, sys
from gan_keras.cli.serve import run
try:
    status = run()
finally:
    print(json.dumps(sorted(sys.modules)))
sys.exit(status)
"""


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """A folder with versions 1 and 2 of a tiny generator."""
    folder = tmp_path_factory.mktemp("serve") / "exports"
    harness.save_generator(folder / "1")
    harness.place(folder / "1", folder, 2)
    return folder


def mistake(capsys, *arguments):
    """The exit status and the one line on standard error."""
    status = serve.run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert captured.out.removesuffix("starting TensorFlow\n") in ("", f"{FIRST_LINE}\n")
    assert captured.err.startswith("gan-keras-serve: ")
    assert captured.err.count("\n") == 1
    return status, captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prot=1"], "prot"),
        (["exports"], "exports: unexpected argument"),
        (["--port=x"], "--port=x"),
        (["--port=65536"], "port"),
        (["--rest_api_port=-1"], "rest_api_port"),
        (["--file_system_poll_wait_seconds=-1"], "file_system_poll_wait_seconds"),
        (["--file_system_poll_wait_seconds=1000001"], "file_system_poll_wait_seconds"),
        (["--model_config_file_poll_wait_seconds=1000001"], "model_config_file_poll_wait_seconds"),
        (["--max_body_seconds=inf"], "max_body_seconds"),
        (["--max_seconds=nan"], "--max_seconds=nan: give a finite number"),
        (["--max_load_seconds=1e30"], "max_load_seconds"),
        (["--max_body_bytes=2147483648"], "max_body_bytes"),
        (["--max_requests=2147483648"], "max_requests"),
        ([], "--model_base_path: required, or --model_config_file"),
        (["--model_base_path="], "--model_base_path: required"),
        (["--model_base_path=e", "--model_name="], "--model_name=: must be a name"),
        (["--port=0", "--rest_api_port=0"], "--port=0 and --rest_api_port=0: both are off"),
        (["--address=0.0.0.0"], "--address=0.0.0.0: other machines can reach it"),
        (["--address=::"], "--ssl_cert and --ssl_key, or --insecure"),
        (["--ssl_cert=a.pem"], "--ssl_cert=a.pem: give --ssl_key too"),
        (["--ssl_key=a.pem"], "--ssl_key=a.pem: give --ssl_cert too"),
        (["--ssl_cert=a.pem", "--ssl_key=b.pem"], "--ssl_key=b.pem: cannot be read: No such file"),
        (["--token_file=none"], "--token_file=none: cannot be read: No such file"),
        (["--port=9", "--rest_api_port=9"], "--port and --rest_api_port are both 9"),
        (["--model_config_file=no.config"], "--model_config_file=no.config: cannot be read"),
    ],
)
def test_usage_errors(capsys, arguments, said):
    status, line = mistake(capsys, *arguments)
    assert status == 2
    assert said in line


def test_config_file_error(capsys, tmp_path, exports):
    """The other two flags are ignored, even if they would do."""
    path = tmp_path / "models.config"
    path.write_text('model_config_list { config { name: "g" base_path: "g" } }')
    status, line = mistake(capsys, f"--model_config_file={path}", f"--model_base_path={exports}")
    assert status == 2
    assert f"--model_config_file={path}: model `g`: base_path `g` must be an absolute" in line


def test_nothing_to_serve(capsys, tmp_path):
    export = f"export a version with gan-keras-export --workdir <run> --export_dir {tmp_path}"
    status, line = mistake(capsys, f"--model_base_path={tmp_path / 'none'}")
    assert (status, f"{export}/none" in line) == (1, True)
    (tmp_path / "best").mkdir()
    status, line = mistake(capsys, f"--model_base_path={tmp_path}")
    assert (status, export in line, "has no version" in line) == (1, True, True)


@pytest.mark.parametrize("flag", ["port", "rest_api_port"])
def test_port_taken(capsys, exports, flag):
    taken = harness.listener()
    port = str(taken).rpartition(":")[2]
    other = {"port": "--rest_api_port=0", "rest_api_port": "--port=0"}[flag]
    status, line = mistake(capsys, f"--model_base_path={exports}", f"--{flag}={port}", other)
    taken.socket.close()
    assert status == 1
    assert f"--{flag}={port} on --address=127.0.0.1: Address already in use" in line


def test_address_of_another_machine(capsys, exports):
    status, line = mistake(
        capsys, f"--model_base_path={exports}", "--address=192.0.2.1", "--insecure"
    )
    assert (status, "--address=192.0.2.1" in line) == (1, True)


def modules(line):
    """Top-level names, and the package's own modules, of what a process imported."""
    names = json.loads(line)
    return {name for name in names if "." not in name or name.startswith("gan_keras.")}


def test_help_takes_no_large_library():
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "--help"], capture_output=True, text=True, timeout=60
    )
    *text, last = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert not {"tensorflow", "keras", "grpc", "aiohttp", "numpy"} & modules(last)
    for flag, default in (
        ("model_config_file", None),
        ("model_name", contract.MODEL_NAME),
        ("model_base_path", None),
        ("port", 8500),
        ("rest_api_port", 8501),
        ("file_system_poll_wait_seconds", 1),
        ("address", "127.0.0.1"),
    ):
        (line,) = [line for line in text if line.startswith(f"  --{flag}: ")]
        assert default is None or line.endswith(f"(default: {default})")


class Process:
    """A running `gan-keras-serve`, and the lines that it printed."""

    def __init__(self, folder, *arguments):
        self._process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={key: value for key, value in os.environ.items() if not key.startswith("TF_")},
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    def until(self, start):
        """Waits for a line that starts so."""
        harness.until(
            lambda: (
                any(line.startswith(start) for line in self.lines)
                or self._process.poll() is not None
            )
        )

    def end(self, number):
        """Sends a signal; returns the exit status and what was on standard error."""
        self._process.send_signal(number)
        status = self._process.wait(harness.DEADLINE)
        self._reader.join()
        return status, self._process.stderr.read()

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._process.stderr.close()


@pytest.fixture
def start():
    started = []

    def call(folder, *arguments):
        started.append(Process(folder, *arguments))
        return started[-1]

    yield call
    for process in started:
        process.kill()


def ask(port, path, **more):
    answer = urllib3.request("GET", f"http://127.0.0.1:{port}{path}", retries=False, **more)
    return answer.status, answer.json()


def test_serves_a_folder_until_sigterm(start, exports):
    grpc_port, rest_port = held_ports(2)
    ports = f"--port={grpc_port}", f"--rest_api_port={rest_port}"
    process = start(exports.parent, "--model_base_path=exports", *ports)
    process.until("next: ")
    where = f"127.0.0.1:{grpc_port}"
    expected = [
        FIRST_LINE,
        "starting TensorFlow",
        f"loaded model `generator` version 2 from {exports}/2",
        f"gRPC on {where}",
        f"REST on http://127.0.0.1:{rest_port}",
        f"next: gan-keras-sample --server={where}",
    ]
    assert process.lines == expected
    status, answer = ask(rest_port, "/v1/models/generator")
    assert (status, answer["model_version_status"][0]["state"]) == (200, "AVAILABLE")
    # Mistakes of callers leave no trace on the server's standard error.
    answer = urllib3.request(
        "POST",
        f"http://127.0.0.1:{rest_port}/v1/models/generator:predict",
        body=b"no gzip",
        headers={"Content-Encoding": "gzip"},
    )
    assert answer.status == 400
    with socket.create_connection(("127.0.0.1", rest_port)) as connection:
        connection.sendall(b"no HTTP\r\n\r\n")
        assert b" 400 " in connection.recv(100)
    status, errors = process.end(signal.SIGTERM)
    assert (status, ours(errors)) == (0, [])
    *lines, last = process.lines
    assert lines == [*expected, "stopping: open requests are answered first", "stopped"]
    own = {name for name in modules(last) if name.startswith("gan_keras.")}
    cli = r"cli(\.addresses|\.flags|\.moving_sign|\.serve|\.tokens)?"
    exporting = r"exporting(\.contract|\.digests|\.model_config|\.stored|\.warm_up)?"
    allowed = rf"gan_keras\.({cli}|{exporting}|drawing(\.pages)?|errors|files|serving(\..*)?)"
    assert {name for name in own if not re.fullmatch(allowed, name)} == set()


def test_serves_a_configuration_file_until_ctrl_c(start, tmp_path, exports):
    (rest_port,) = held_ports(1)
    path = tmp_path / "models.config"
    path.write_text(
        f"""model_config_list {{
          config {{ name: "old" base_path: "{exports}" model_platform: "tensorflow"
                    model_version_policy {{ specific {{ versions: 1 }} }}
                    version_labels {{ key: "stable" value: 1 }} }}
          config {{ name: "new" base_path: "{exports}" model_platform: "tensorflow" }}
        }}"""
    )
    process = start(
        tmp_path,
        "--model_config_file=models.config",
        "--model_base_path=nowhere",
        "--port=0",
        f"--rest_api_port={rest_port}",
    )
    process.until("next: ")
    assert process.lines[2:] == [
        f"loaded model `old` version 1 from {exports}/1",
        f"loaded model `new` version 2 from {exports}/2",
        f"REST on http://127.0.0.1:{rest_port}",
        f"next: gan-keras-sample --server=127.0.0.1:{rest_port} --transport=rest --model=old",
    ]
    assert ask(rest_port, "/v1/models/old/labels/stable")[0] == 200
    assert ask(rest_port, "/v1/models/new/versions/2")[0] == 200
    assert ask(rest_port, "/v1/models/generator")[0] == 404
    status, errors = process.end(signal.SIGINT)
    assert (status, ours(errors)) == (0, [])
    assert process.lines[-2] == "stopped"


@pytest.mark.parametrize("lost", [pytest.param("closed", marks=pytest.mark.faults), "full"])
def test_neither_a_lost_log_nor_a_dead_disk_keeps_it_from_answering_and_ending(
    tmp_path, exports, lost
):
    """The reader of standard output is gone, standard error closed or full; a load hangs."""
    shutil.copytree(exports, tmp_path / "exports")
    (rest_port,) = held_ports(1)
    with open("/dev/full", "w") as full:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from gan_keras.cli.serve import run; sys.exit(run())",
                f"--model_base_path={tmp_path / 'exports'}",
                "--port=0",
                f"--rest_api_port={rest_port}",
                "--max_load_seconds=3",
            ],
            stdout=subprocess.PIPE,
            stderr=full,
            preexec_fn=(lambda: os.close(2)) if lost == "closed" else None,
        )
    try:
        for line in process.stdout:
            if line.startswith(b"next: "):
                break
        process.stdout.close()

        def failure(version):
            status, answer = ask(rest_port, f"/v1/models/generator/versions/{version}")
            return status == 200 and answer["model_version_status"][0]["status"]["error_message"]

        for version in (8, 9):
            (tmp_path / "exports" / "making").mkdir()
            if version == 8:
                (tmp_path / "exports" / "making" / "saved_model.pb").write_bytes(b"bad")
            else:
                os.mkfifo(tmp_path / "exports" / "making" / "saved_model.pb")
            (tmp_path / "exports" / "making").rename(tmp_path / "exports" / str(version))
            harness.until(lambda version=version: failure(version))
        assert "not done within 3 s" in failure(9)
        assert ask(rest_port, "/v1/models/generator/versions/2")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(harness.DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
