"""The README's commands and snippets, run as they stand but for length and ports."""

import os
import re
import runpy
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from gan_keras.cli import train
from tests.ports import held_ports

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language):
    """The fenced blocks of a language, "" for those without."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def program(command):
    """The arguments that run a console command of this interpreter's environment."""
    name, *arguments = command
    module = name.removeprefix("gan-keras-")
    code = f"import sys; from gan_keras.cli.{module} import run; sys.exit(run())"
    return [sys.executable, "-c", code, *arguments]


def test_the_demo_leaves_the_folders_of_the_next_commands_alone():
    demo = runpy.run_path(str(Path(__file__).parent.parent / "scripts" / "demo.py"))
    for folder in (demo["WORKDIR"], demo["EXPORT_DIR"]):
        assert not any(f"{folder} " in f"{line} " for line in blocks("sh")[0].splitlines())
    assert f"`{demo['SERVED']}`" in README
    assert f"--logdir {demo['WORKDIR']}/logs`" in README


def test_train_export_serve_sample_and_the_client(tmp_path):
    (block,) = blocks("sh")
    lines = block.splitlines()
    # Started is not ready: the line after the server's waits until it answers.
    (status,) = re.findall(r"^until curl -sf (\S+) > /dev/null; do sleep 1; done$", lines.pop(3))
    assert [line.split()[0] for line in lines] == [
        f"gan-keras-{name}" for name in ("train", "export", "serve", "sample")
    ]
    ports = held_ports(2)
    status = status.replace("127.0.0.1:8501", f"127.0.0.1:{ports[1]}")
    more = {
        "gan-keras-train": ["--steps=20"],
        "gan-keras-serve": [f"--port={ports[0]}", f"--rest_api_port={ports[1]}"],
        "gan-keras-sample": [f"--server=127.0.0.1:{ports[1]}"],
    }
    server = None
    try:
        for line in lines:
            command = shlex.split(line.removesuffix("&"))
            command += more.get(command[0], [])
            if line.endswith("&"):
                server = subprocess.Popen(
                    program(command), cwd=tmp_path, stdout=subprocess.PIPE, text=True
                )
                assert any("gan-keras-sample" in line for line in server.stdout)
                assert urllib.request.urlopen(status, timeout=60).status == 200
            else:
                subprocess.run(program(command), cwd=tmp_path, check=True, timeout=600)
        assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")

        client = blocks("python")[0].replace("127.0.0.1:8501", f"127.0.0.1:{ports[1]}")
        check = (
            "import sys\n"
            "assert pictures.shape == (64, 16, 16, 1) and pictures.dtype == 'uint8'\n"
            "assert not {'tensorflow', 'grpc'} & set(sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", client + check], check=True, timeout=600)
    finally:
        if server:
            server.terminate()
            server.wait()


def test_the_model_in_python():
    import tensorflow as tf

    from gan_keras.data.pipeline import untuned

    names = {}
    exec(blocks("python")[2], names)
    batches = untuned(tf.data.Dataset.from_tensors(tf.zeros([4, 28, 28, 1])).repeat())
    names["gan"].fit(batches, steps_per_epoch=1, verbose=0, shuffle=False)
    assert names["gan"].step == 1
    assert names["gan"](tf.zeros([2, 100])).shape == (2, 28, 28, 1)


TRAIN_COMMANDS = re.findall(r"^gan-keras-train .*", "\n".join(blocks("")), re.MULTILINE)


@pytest.mark.parametrize("line", TRAIN_COMMANDS)
def test_every_training_command_is_one(line):
    """All flags exist and their values fit; whether the data are there is another question."""
    from gan_keras.cli import flags

    command = shlex.split(os.path.expandvars(line), comments=True)
    values = flags.parse(command[1:], train.PROGRAM, train.SUMMARY, train._define)
    config, workdir = train._config(values)
    assert config.preset in ("mnist", "mnist_conditional", "pictures", "gaussians_1d")
    assert workdir.startswith("runs/")


def test_files_that_the_readme_links_to_exist():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    for link in links:
        assert (Path(__file__).parent.parent / link).exists(), link


def test_the_presets_whose_rates_fall_by_a_cosine_are_named():
    from gan_keras.config.config import PRESETS

    (named,) = re.findall(r"by a cosine \((.*?)\)", README, re.DOTALL)
    falling = {name for name in PRESETS if "learning_rate_schedule" in PRESETS[name]}
    assert set(re.findall(r"`(\w+)`", named)) == falling


def test_every_preset_has_a_row():
    from gan_keras.config.config import PRESETS

    for preset in PRESETS:
        assert f"| `{preset}` |" in README
