"""Hundreds of damaged folders of checkpoints; GAN_KERAS_FOLDERS asks for another number."""

import os

import pytest

from tests.checkpoints import test_save_restore as test_checkpoints

pytestmark = pytest.mark.faults
TIMES = int(os.environ.get("GAN_KERAS_FOLDERS", "500"))


def test_damage(tmp_path, capsys, caplog):
    older, lost = test_checkpoints.survive_damage(tmp_path, TIMES, 1, caplog)
    with capsys.disabled():
        print(f"{TIMES} damaged folders: {older} went by an older step, {lost} had none whole")
