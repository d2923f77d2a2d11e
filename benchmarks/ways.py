"""The ways to get pictures out of a trained generator, and one measurement of one of them.

`benchmarks.sample` starts a process for each: `python -m benchmarks.ways --way=exported
--folder=...`.
"""

import json
import sys
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from benchmarks.clock import Clock
from gan_keras.cli import flags
from gan_keras.exporting import contract

PROGRAM = "python -m benchmarks.ways"
SUMMARY = "Measures one way of sampling in this process and prints a line of JSON."

BATCH_SIZES = (1, 16, 256)
KERAS_EXPORT = "keras_export"  # The folder of what Keras itself exports.
RUN, EXPORT, EXPORT_BFLOAT16 = "run", "export", "export-bfloat16"


def generator(folder):
    """Returns the generator of the run as a user of Keras has it, of Keras' own layers."""
    from benchmarks.peers import keras_networks
    from gan_keras import networks
    from gan_keras.checkpoints import save_restore as checkpoints
    from gan_keras.config import config as configs

    workdir = Path(folder, RUN)
    config = configs.load(workdir)
    model, _ = networks.build(
        config.network,
        shape=config.shape,
        latent_dim=config.latent_dim,
        width=config.width,
        seed=config.seed,
    )
    checkpoints.restore_generator(model, workdir)
    return keras_networks.plain(model)


def _predict(folder):
    model = generator(folder)
    return lambda latents: model.predict(latents, batch_size=len(latents), verbose=0)


def _eager(folder):
    model = generator(folder)
    return lambda latents: model(latents, training=False).numpy()


def _keras_export(folder):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(Path(folder, KERAS_EXPORT)))
    return lambda latents: loaded.serve(latents).numpy()


def _signature(name, key, output, export=EXPORT):
    def load(folder):
        import tensorflow as tf

        loaded = tf.saved_model.load(str(Path(folder, export, "1")))
        signature = loaded.signatures[name]
        return lambda rows: signature(**{key: tf.constant(rows)})[output].numpy()

    return load


_IMAGES = (contract.LATENTS_SIGNATURE, contract.LATENTS, contract.IMAGES)
# A way maps a folder to a function of a batch: of latents, or, for the last two, of seeds.
WAYS = {
    "predict": _predict,
    "eager": _eager,
    "keras-export": _keras_export,
    "exported": _signature(*_IMAGES),
    "exported-bfloat16": _signature(*_IMAGES, export=EXPORT_BFLOAT16),
    "exported-sample": _signature(contract.SAMPLE_SIGNATURE, contract.SEED, contract.IMAGES),
    "exported-png": _signature(contract.PNG_SIGNATURE, contract.SEED, contract.PNG_BYTES),
}
OF_SEEDS = ("exported-sample", "exported-png")
ABOUT = {
    "predict": "`model.predict(latents)`",
    "eager": "`model(latents)`",
    "keras-export": "`model.export`, loaded again",
    "exported": "gan-keras-export, the signature `serving_default`",
    "exported-bfloat16": "gan-keras-export --dtype=bfloat16, the same signature",
    "exported-sample": "`exported` by the signature `sample`: seeds to uint8",
    "exported-png": "`exported` by the signature `png`: seeds to PNG files",
}


def seeds(count):
    return np.arange(count, dtype=np.int64)


def latents(count, latent_dim):
    """Returns the latents that the signatures of seeds draw for `seeds(count)`."""
    from gan_keras.exporting.served import SERVED_LATENTS_DRAW
    from gan_keras.game.priors import PRIORS

    draw = PRIORS["normal"]
    return np.stack([draw([latent_dim], seed=[seed, SERVED_LATENTS_DRAW]) for seed in range(count)])


def pictures(way, result):
    """Returns what a way made as uint8 or float32 (batch, height, width, channels)."""
    if way != "exported-png":
        return result
    from gan_keras.drawing import images

    return np.stack([images.decode_png(file) for file in result])


def difference(result, images):
    """Returns the largest difference between a way's pictures and those that `eager` makes.

    Args:
        result: float32 in [-1, 1], or uint8.
        images: float32 in [-1, 1], of the same shape.

    Returns:
        For float32, in units of a pixel of [-1, 1]; for uint8, in levels of 255.
    """
    if result.dtype == np.uint8:
        levels = np.round((images.astype(np.float64) - contract.PIXEL_MIN) * 127.5)
        return float(np.abs(result.astype(np.float64) - levels).max())
    return float(np.abs(result.astype(np.float64) - images).max())


def measure(way, folder, warm_up, seconds, batch_sizes=BATCH_SIZES):
    """Measures one way at each batch size.

    Args:
        way: A key of `WAYS`.
        folder: Folder with the run, its export, and what Keras exported.
        warm_up: Seconds that are not counted, at each batch size.
        seconds: Seconds to measure for, at each batch size.
        batch_sizes: Pictures per call.

    Returns:
        A dict: images_per_second, batch size (text) -> number; and difference, as `difference`.
    """
    call = WAYS[way](folder)
    model = generator(folder)
    rows = latents(max(batch_sizes), model.input_shape[-1])
    inputs = seeds(len(rows)) if way in OF_SEEDS else rows
    speeds = {}
    for size in batch_sizes:
        clock = Clock(warm_up, seconds)
        while True:
            call(inputs[:size])
            if not clock.tick():
                break
        speeds[str(size)] = clock.steps * size / clock.elapsed
    made = pictures(way, call(inputs))
    return {
        "images_per_second": speeds,
        "difference": difference(made, model(rows, training=False).numpy()),
    }


def prepare(folder):
    """Lets Keras export the generator of the run, into the same folder."""
    generator(folder).export(str(Path(folder, KERAS_EXPORT)), verbose=False)


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _measure(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_enum(
        "way", None, list(WAYS), "What is measured; none: prepare the folder.", flag_values=values
    )
    absl_flags.DEFINE_string("folder", None, "Folder of the run and exports.", flag_values=values)
    absl_flags.DEFINE_float("warm_up", 1.0, "Seconds not counted.", flag_values=values)
    absl_flags.DEFINE_float("seconds", 3.0, "Seconds per batch size.", flag_values=values)


def _measure(values):
    flags.import_tensorflow()
    if values.way is None:
        prepare(values.folder)
        print("{}")
    else:
        print(json.dumps(measure(values.way, values.folder, values.warm_up, values.seconds)))


if __name__ == "__main__":
    sys.exit(run())
