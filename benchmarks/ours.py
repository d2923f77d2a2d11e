"""This package, as `gan_keras.training` puts it together, with nothing beside the step."""

import math

from benchmarks import fitting, workload
from gan_keras import config as configs
from gan_keras import data
from gan_keras.distribution import strategy as strategies
from gan_keras.training import devices
from gan_keras.training import run as training


class Loop(fitting.Players):
    """The contestant: `GAN.fit` without the callbacks of a run, on images that it reads itself.

    `fields` are of the configuration; each call of the training graph has `steps_per_call` steps.
    """

    def __init__(self, images=None, fields=None, steps_per_call=1):
        config = configs.from_preset(**workload.overrides(**(fields or {})))
        devices.prepare(config)
        strategy = strategies.build(config.strategy, config.batch_size)
        jit_compile, _ = devices.choose_jit_compile(
            config.jit_compile, strategy, config.deterministic
        )
        with strategy.scope():
            self.gan = training.build(config, jit_compile=jit_compile)
        self.generator, self.discriminator = self.gan.generator, self.gan.discriminator
        self.gan.steps_per_execution = steps_per_call
        self.dataset = data.load(config).batches(config.batch_size, config.seed)
        self.images_per_step = config.batch_size

    def run(self, clock):
        fitting.fit(self.gan, self.dataset, clock)

    def about(self):
        """Returns what a step costs: operations per image, and the most memory of the GPU."""
        import tensorflow as tf

        memory = None
        if tf.config.list_physical_devices("GPU"):
            memory = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
        players = map(multiply_adds, (self.generator, self.discriminator))
        return {"flops_per_image": workload.flops(*players), "memory_mib": memory}


def multiply_adds(network):
    """Returns the multiply-adds per example of each layer that has a kernel, forwards."""
    from keras.layers import Conv2DTranspose

    found = []
    for layer in network.layers:
        if (kernel := getattr(layer, "kernel", None)) is not None:
            # A transposed convolution costs what the one costs that goes the other way.
            small = layer.input if isinstance(layer, Conv2DTranspose) else layer.output
            found.append(math.prod(small.shape[1:-1]) * math.prod(kernel.shape))
    return found
