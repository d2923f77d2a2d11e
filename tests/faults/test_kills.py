"""A hundred kills; GAN_KERAS_KILLS asks for another number, two thirds of them while training."""

import os

import pytest

from tests.conftest import SMALL
from tests.training import test_kills

pytestmark = pytest.mark.faults
KILLS = int(os.environ.get("GAN_KERAS_KILLS", "102"))
forks = test_kills.forks


def test_training(forks, tmp_path):
    reached = test_kills.train_through_kills(forks, tmp_path, SMALL, KILLS - KILLS // 3, seed=2)
    print(f"{KILLS - KILLS // 3} kills of training, {reached} steps: the same to the bit")


def test_exports(forks, small_run, tmp_path):
    test_kills.export_through_kills(forks, small_run, tmp_path, KILLS // 3, seed=3)
    print(f"{KILLS // 3} kills of exports: every version whole")
