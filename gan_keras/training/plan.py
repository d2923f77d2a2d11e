"""What a run will do: `auto` settled, and a strategy for the devices."""

import dataclasses
from pathlib import Path

import tensorflow as tf

from gan_keras import config as configs
from gan_keras.distribution import strategy as strategies
from gan_keras.training import devices, precision


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run will do, settled before anything is built, printed or written."""

    config: configs.Config  # Its precision is no longer `auto`.
    workdir: Path
    strategy: tf.distribute.Strategy
    why_precision: str
    last: int  # The step to stop after.
    jit_compile: bool  # Whether XLA compiles the training step.
    why_jit_compile: str

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes the run's files."""
        return strategies.is_chief(self.strategy)

    @property
    def devices(self) -> str:
        """Devices and precision, and why these, in a line."""
        config = self.config
        described = strategies.describe(
            self.strategy,
            config.strategy,
            config.batch_size,
            config.cross_device_ops,
            config.virtual_devices,
        )
        settings = devices.describe(config, self.jit_compile, self.why_jit_compile)
        computing = f"computing in {config.mixed_precision} ({self.why_precision})"
        return ", ".join([described, computing, *settings])


def make_plan(config, workdir, last=None):
    """Settles what `auto` means in a folder, and refuses what a run there would refuse.

    The precision decides what a run computes: on another machine it stays what it was.

    Returns:
        A Plan.

    Raises:
        UserError, UsageError: as `train`.
    """
    was_auto = config.mixed_precision == "auto"
    config, is_stored = configs.settle(config, workdir)
    devices.prepare(config)
    chosen, why = precision.choose(config.mixed_precision, config.network)
    strategy = strategies.build(
        config.strategy,
        config.batch_size,
        config.cross_device_ops,
        config.virtual_devices,
        config.cluster_timeout,
    )
    jit_compile, why_jit_compile = devices.choose_jit_compile(
        config.jit_compile, strategy, config.deterministic
    )
    return Plan(
        dataclasses.replace(config, mixed_precision=chosen),
        workdir,
        strategy,
        "as before" if was_auto and is_stored else why,
        config.steps if last is None else last,
        jit_compile,
        why_jit_compile,
    )
