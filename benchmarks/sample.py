"""`python -m benchmarks.sample`: the ways to get pictures out of a generator, in turn."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from benchmarks import commands, report, runner
from benchmarks.clock import Clock
from benchmarks.commands import EXPORT, EXPORT_BFLOAT16, RUN
from gan_keras import config as configs
from gan_keras.exporting import contract

BATCH_SIZES = (1, 16, 256)
REFERENCES = ("predict", "eager", "keras-export", "exported")


class Method(NamedTuple):
    """A way to sample."""

    about: str  # What a user of it writes.
    load: Callable  # Maps the folder to a function of a batch.
    of_seeds: bool = False  # Whether the batch is of seeds, (n,) int64, and not of latents.


def generator(folder):
    """Returns the generator of the run as a user of Keras has it, of Keras' own layers."""
    import keras
    from keras.layers import BatchNormalization, Conv2D, Conv2DTranspose

    from gan_keras import checkpoints, networks

    workdir = Path(folder, RUN)
    trained = networks.generator(configs.load(workdir))
    checkpoints.restore_generator(trained, workdir)

    def plainly(layer):
        for kind in (BatchNormalization, Conv2DTranspose, Conv2D):
            if isinstance(layer, kind):
                return kind.from_config(layer.get_config())
        return layer

    model = keras.models.clone_model(trained, clone_function=plainly)
    model.set_weights(trained.get_weights())
    return model


def _predict(folder):
    model = generator(folder)
    return lambda latents: model.predict(latents, batch_size=len(latents), verbose=0)


def _eager(folder):
    model = generator(folder)
    return lambda latents: model(latents, training=False).numpy()


def _keras_export(folder):
    import tensorflow as tf

    path = str(Path(folder, "keras-export"))
    generator(folder).export(path, verbose=False)
    loaded = tf.saved_model.load(path)
    return lambda latents: loaded.serve(latents).numpy()


def _signature(name, key, output, export=EXPORT):
    def load(folder):
        import tensorflow as tf

        loaded = tf.saved_model.load(str(Path(folder, export, "1")))
        signature = loaded.signatures[name]
        return lambda rows: signature(**{key: tf.constant(rows)})[output].numpy()

    return load


_IMAGES = (contract.LATENTS_SIGNATURE, contract.LATENTS, contract.IMAGES)
_SAMPLE = (contract.SAMPLE_SIGNATURE, contract.SEED, contract.IMAGES)
_PNG = (contract.PNG_SIGNATURE, contract.SEED, contract.PNG_BYTES)
METHODS = {
    "predict": Method("`model.predict(latents)`", _predict),
    "eager": Method("`model(latents)`", _eager),
    "keras-export": Method("`model.export`, loaded again", _keras_export),
    "exported": Method("gan-keras-export, the signature `serving_default`", _signature(*_IMAGES)),
    "exported-bfloat16": Method(
        "gan-keras-export --dtype=bfloat16, the same signature",
        _signature(*_IMAGES, export=EXPORT_BFLOAT16),
    ),
    "exported-sample": Method(
        "`exported` by the signature `sample`: seeds to uint8", _signature(*_SAMPLE), True
    ),
    "exported-png": Method(
        "`exported` by the signature `png`: seeds to PNG files", _signature(*_PNG), True
    ),
}


class Sample(runner.Benchmark):
    """Pictures per second at several batch sizes; tests hold that the pictures are the same."""

    name = "sample"
    summary = (
        "Measures pictures per second of the exported generator, of Keras' own ways and of the "
        "signatures for seeds, in turn and each time in a fresh process."
    )
    flags: ClassVar = {
        "seconds": (3.0, "Seconds per batch size."),
        "warm_up": (1.0, "Seconds before each of them."),
    }
    columns = tuple(
        report.Column(f"batch {size}, images/s", str(size), over=report.over(*REFERENCES))
        for size in BATCH_SIZES
    )

    def __init__(self, values, folder):
        commands.exports(folder)
        same = {"warm_up": values.warm_up, "seconds": values.seconds, "folder": str(folder)}
        self.parts = {name: ("sample.measure", {"name": name, **same}) for name in METHODS}

    def table(self, rounds):
        parts = [report.comparison(rounds, METHODS, [each], "dcgan") for each in self.columns]
        about = "\n".join(f"- `{name}`: {METHODS[name].about}" for name in METHODS)
        return "\n\n".join([*parts, report.caption(rounds), about])


def measure(name, folder, warm_up, seconds, batch_sizes=BATCH_SIZES):
    """Measures one method at each batch size, for so many seconds after the warm-up.

    Returns a dict: pictures per second by batch size (text).
    """
    method = METHODS[name]
    call = method.load(folder)
    inputs = np.arange(max(batch_sizes))
    if not method.of_seeds:
        latent_dim = configs.load(Path(folder, RUN)).latent_dim
        inputs = np.random.default_rng(0).standard_normal((len(inputs), latent_dim), np.float32)
    result = {}
    for size in batch_sizes:
        clock = Clock(warm_up, seconds)
        clock.time(lambda size=size: call(inputs[:size]))
        result[str(size)] = clock.steps * size / clock.elapsed
    return result


if __name__ == "__main__":
    sys.exit(runner.run(Sample))
