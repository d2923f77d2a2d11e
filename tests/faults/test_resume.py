"""Every preset under every strategy goes on to the bit after a SIGKILL."""

import pytest

from gan_keras.config import config as configs
from tests.training import test_kills

pytestmark = pytest.mark.faults

# Small, and with data that need no network; what makes a preset another one stays.
PICTURES = ("--dataset=digits", "--image_size=16", "--channels=1", "--held_out=0", "--width=40")
POINTS = ("--width=16",)
# A run ends some steps after the last kill, and rates that fall by a cosine fix its length before.
CONSTANT = "--learning_rate_schedule=constant"


@pytest.mark.parametrize(("strategy", "devices"), [("one_device", 1), ("mirrored", 2)])
@pytest.mark.parametrize("preset", configs.PRESETS)
def test_killed_once(preset, strategy, devices, forks, tmp_path):
    known = configs.PRESETS[preset].get("dataset") in configs.DENSITIES
    small = POINTS if known else PICTURES
    flags = (f"--preset={preset}", *small, "--batch_size=16", f"--strategy={strategy}", CONSTANT)
    test_kills.train_through_kills(forks, tmp_path, flags, kills=1, seed=0, devices=devices)
