"""The package beside others that students use: one set of versions that all of them take."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.network


@pytest.fixture
def resolve(tmp_path):
    """A function that returns the versions, by name, of packages and of what they need."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip("uv is not in this environment; `make test-oldest` installs it")

    def run(*lines, files=()):
        wanted = tmp_path / "wanted.txt"
        wanted.write_text("\n".join(lines))
        command = [uv, "pip", "compile", "--quiet", "--python", sys.executable, *files, wanted]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return dict(re.findall(r"^([\w.-]+)==(\S+)$", done.stdout, re.MULTILINE))

    try:
        run("six")
    except AssertionError as error:
        pytest.skip(f"no package index: {error}")
    return run


@pytest.mark.parametrize("other", ["gradio>=6", "jupyterlab", "torch"])
def test_others_and_the_package_have_versions_in_common(other, resolve, root):
    name = re.match(r"\w+", other)[0]
    found = resolve(other, files=[root / "setup.cfg"])
    assert {name, "tensorflow", "keras"} <= set(found)
