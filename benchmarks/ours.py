"""This package, as `gan_keras.training` puts it together, with nothing beside the step."""

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

    def __init__(self, network, images=None, fields=None, steps_per_call=1):
        config = configs.from_preset(**workload.overrides(network, fields))
        devices.prepare(config)
        strategy = strategies.build(config.strategy, config.batch_size)
        jit_compile, _ = devices.choose_jit_compile(config.jit_compile, strategy)
        with strategy.scope():
            self.gan = training.build(config, jit_compile=jit_compile)
        self.generator, self.discriminator = self.gan.generator, self.gan.discriminator
        self.gan.steps_per_execution = steps_per_call
        self.dataset = data.load(config).batches(config.batch_size, config.seed)
        self.images_per_step = config.batch_size

    def run(self, clock):
        fitting.fit(self.gan, self.dataset, clock)


build = Loop
