"""XLA compiles the step of every preset, and resumes it exactly: a minute for each on a CPU.

The short forms are in tests/game/test_compiled_step.py.
"""

import numpy as np
import pytest

from gan_keras import config as configs
from gan_keras import data
from gan_keras.cli import train
from gan_keras.training import run, verify
from tests.faults.test_resume import PICTURES, POINTS

pytestmark = pytest.mark.faults

STEPS = 4


def flags_of(preset):
    known = configs.PRESETS[preset].get("dataset") in configs.DENSITIES
    small = (*(POINTS if known else PICTURES), "--batch_size=16")
    return (f"--preset={preset}", *small)


def trained(preset, precision, jit_compile):
    """The weights after some steps, two to a call, and how far apart Adam lets two runs come."""
    values = train._parse([*flags_of(preset), f"--mixed_precision={precision}"])
    config, _ = train._config(values)
    images = data.load(config)
    classes = len(images.class_names) if config.labelled else 0
    gan = run.build(config, classes, jit_compile)
    labels = {"labels": True} if classes else {}
    gan.steps_per_execution = 2
    gan.fit(
        images.batches(config.batch_size, config.seed, 0, config.discriminator_steps, **labels),
        steps_per_epoch=STEPS,
        verbose=0,
        shuffle=False,
    )
    assert gan.step == STEPS
    found = [(each.path, each.numpy()) for each in gan.weights]
    updates = STEPS * config.discriminator_steps
    return found, 2 * updates * max(config.learning_rate, config.discriminator_learning_rate)


@pytest.mark.parametrize("preset", configs.PRESETS)
def test_every_preset_is_what_it_is_without_xla(preset):
    plain, furthest = trained(preset, "float32", False)
    compiled, _ = trained(preset, "float32", True)
    gaps = []
    for (name, value), (_, other) in zip(plain, compiled, strict=True):
        gap = np.abs(value.astype(np.float64) - other)
        if np.issubdtype(value.dtype, np.integer):
            assert not gap.any(), name
        else:  # Adam moves by its rate where a gradient is nothing but rounding.
            gaps.append(gap.ravel())
    gaps = np.concatenate(gaps)
    assert gaps.max() <= furthest
    assert np.median(gaps) < 1e-6


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("preset", ["digits", "digits_conditional"])
def test_in_short_numbers_it_trains_as_far(preset, precision):
    """One unit in the last place of these is a thousand of float32's."""
    plain, furthest = trained(preset, precision, False)
    compiled, _ = trained(preset, precision, True)
    for (name, value), (_, other) in zip(plain, compiled, strict=True):
        assert np.isfinite(other).all(), name
        if "kernel" in name:
            assert np.abs(value - other).max() <= furthest, name


# One of each network.
@pytest.mark.parametrize(
    "preset", ["digits", "digits_conditional", "mlp", "grid", "goodfellow2014"]
)
def test_it_resumes_exactly(preset, tmp_path):
    begun = ["--jit_compile=true", "--steps=3", f"--workdir={tmp_path}"]
    assert train.run([*flags_of(preset), "--mixed_precision=float32", *begun]) == 0
    found = verify(tmp_path, steps=5)
    assert found.first_step == 3
    assert not found.differences
