"""The networks as a user of PyTorch writes them, and what both of its contestants share."""

import math

import numpy as np
import torch
from torch import nn

from benchmarks import workload


def dcgan():
    """Returns the generator and the discriminator, whose output is a logit."""
    generator = nn.Sequential(
        nn.Linear(workload.LATENT_DIM, 7 * 7 * 128, bias=False),
        nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(64, 1, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1),
        nn.LeakyReLU(workload.LEAK, inplace=True),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(workload.LEAK, inplace=True),
        nn.Flatten(),
        nn.Linear(7 * 7 * 128, 1),
    )
    return generator, discriminator


def mlp():
    """Returns the generator and the discriminator, whose output is a logit."""
    height, width, channels = workload.SHAPE
    generator = nn.Sequential(
        nn.Linear(workload.LATENT_DIM, 256),
        nn.LeakyReLU(workload.LEAK, inplace=True),
        nn.Linear(256, 512),
        nn.LeakyReLU(workload.LEAK, inplace=True),
        nn.Linear(512, math.prod(workload.SHAPE)),
        nn.Tanh(),
        nn.Unflatten(1, (channels, height, width)),
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(workload.SHAPE), 512),
        nn.LeakyReLU(workload.LEAK, inplace=True),
        nn.Linear(512, 256),
        nn.LeakyReLU(workload.LEAK, inplace=True),
        nn.Linear(256, 1),
    )
    return generator, discriminator


NETWORKS = {"dcgan": dcgan, "mlp": mlp}


def device():
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def adam(network, **options):
    return torch.optim.Adam(
        network.parameters(), lr=workload.LEARNING_RATE, betas=(workload.BETA_1, 0.999), **options
    )


def channels_first(images):
    """Maps images (n, height, width, channels) to a tensor (n, channels, height, width)."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).to(device())


def batches(images):
    """Yields shuffled batches without end, cut from memory: cheaper than any loader."""
    while True:
        order = torch.randperm(len(images), device=images.device)
        yield from (
            images[numbers]
            for numbers in order.split(workload.BATCH_SIZE)
            if len(numbers) == workload.BATCH_SIZE
        )


class Players:
    """What both contestants have: a `generator`, a `discriminator`, `images` and a `step`."""

    images_per_step = workload.BATCH_SIZE

    def run(self, clock):
        for real in batches(self.images):
            self.step(real)
            if not clock.tick():
                return

    def wait(self):
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def weights(self):
        return {
            player: [p.detach().cpu().numpy().copy() for p in getattr(self, player).parameters()]
            for player in ("generator", "discriminator")
        }
