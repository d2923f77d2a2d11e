"""Training without a standard output or error from the very start, as a careless daemon does."""

import subprocess
import sys

import pytest

from gan_keras import checkpoints
from tests.conftest import SMALL

pytestmark = pytest.mark.faults
COMMAND = "import sys; from gan_keras.cli.train import run; sys.exit(run())"


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_training_without_streams(closed, tmp_path):
    """TensorFlow writes to number 2, whatever file has it: none of the run's may."""
    flags = (*SMALL, "--steps=6", "--checkpoint_every=2", f"--workdir={tmp_path / 'run'}")
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", COMMAND, *flags]
    assert subprocess.run(command, stdout=subprocess.DEVNULL, timeout=600).returncode == 0
    found = {step: checkpoints.locate(tmp_path / "run", step) for step in (2, 4, 6)}
    assert found == {2: 2, 4: 4, 6: 6}
