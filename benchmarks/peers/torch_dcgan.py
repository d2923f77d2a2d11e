"""A DCGAN as users of PyTorch write it.

Reference: https://github.com/pytorch/examples/tree/main/dcgan
"""

import numpy as np
import torch
from torch import nn

from benchmarks import workload


def networks():
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
    return generator.apply(_initial), discriminator.apply(_initial)


def _initial(layer):
    """The example's initial weights, which are the paper's."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)


class Dcgan:
    """The contestant: the example, eager, in float32, with five numbers read per step.

    Tuned, it has what makes PyTorch fast, as its users reach it when they try: channels last, fused
    Adam, no number read in the loop, and no gradient of D's weights while G is updated. `autocast`
    is to bfloat16, `compiled` by torch.compile.
    """

    images_per_step = workload.BATCH_SIZE

    def __init__(self, images, tuned=False, autocast=False, compiled=False):
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tuned, self.autocast = tuned, autocast
        layout = torch.channels_last if tuned else torch.contiguous_format
        self.generator, self.discriminator = (
            network.to(self.device, memory_format=layout) for network in networks()
        )
        self.optimizers = [
            torch.optim.Adam(
                network.parameters(), workload.LEARNING_RATE, (workload.BETA_1, 0.999), fused=tuned
            )
            for network in (self.discriminator, self.generator)
        ]
        if compiled:
            self.generator.compile()
            self.discriminator.compile()
        self.loss = nn.BCEWithLogitsLoss()
        images = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        self.images = images.to(self.device).contiguous(memory_format=layout)
        self.ones = torch.ones((workload.BATCH_SIZE, 1), device=self.device)
        self.zeros = torch.zeros_like(self.ones)

    def run(self, clock):
        while True:
            # Cut from memory: cheaper than any loader.
            order = torch.randperm(len(self.images), device=self.device)
            for numbers in order.split(workload.BATCH_SIZE):
                if len(numbers) == workload.BATCH_SIZE:
                    self.step(self.images[numbers])
                    if not clock.tick():
                        return

    def step(self, real):
        d_optimizer, g_optimizer = self.optimizers
        with self._precision():
            fake = self.generator(self._noise())
            on_real = self.discriminator(real).float()
            on_fake = self.discriminator(fake.detach()).float()
        d_loss = self.loss(on_real, self.ones) + self.loss(on_fake, self.zeros)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        self.discriminator.requires_grad_(not self.tuned)
        with self._precision():
            logits = self.discriminator(fake).float()
        g_loss = self.loss(logits, self.ones)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        self.discriminator.requires_grad_(True)
        if not self.tuned:
            shown = (each.sigmoid().mean() for each in (on_real, on_fake, logits))
            self.shown = [each.item() for each in (d_loss, g_loss, *shown)]

    def _noise(self):
        return torch.randn(workload.BATCH_SIZE, workload.LATENT_DIM, device=self.device)

    def _precision(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast)

    def wait(self):
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    @torch.no_grad()
    def pictures(self, count):
        """As the example draws its own: normalised over the batch, as in training."""
        batches = range(0, count, workload.BATCH_SIZE)
        made = [self.generator(self._noise()).float().cpu().numpy() for _ in batches]
        return np.concatenate(made)[:count].transpose(0, 2, 3, 1)
