"""A DCGAN as users of PyTorch write it: in the shape of its example, and tuned.

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
    """The example's initial weights, which are the paper's; its linear maps are convolutions."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)


class Example:
    """The contestant in the shape of the example: eager, float32, five numbers read per step."""

    images_per_step = workload.BATCH_SIZE
    layout, fused = torch.contiguous_format, None

    def __init__(self, images):
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        generator, discriminator = networks()
        self.generator = self._moved(generator)
        self.discriminator = self._moved(self.ending(discriminator))
        self.d_optimizer, self.g_optimizer = (
            torch.optim.Adam(
                network.parameters(),
                workload.LEARNING_RATE,
                (workload.BETA_1, 0.999),
                fused=self.fused,
            )
            for network in (self.discriminator, self.generator)
        )
        self.images = self._moved(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))

    def ending(self, discriminator):
        """The example's D ends in a probability, and its loss takes one."""
        self.loss = nn.BCELoss()
        return nn.Sequential(*discriminator, nn.Sigmoid())

    def _moved(self, what):
        return what.to(self.device, memory_format=self.layout)

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
        size = (len(real),)
        ones, zeros = (torch.full(size, value, device=self.device) for value in (1.0, 0.0))

        self.discriminator.zero_grad()
        output = self.discriminator(real).view(-1)
        real_loss = self.loss(output, ones)
        real_loss.backward()
        shown = [output.mean().item()]
        fake = self.generator(self._noise())
        output = self.discriminator(fake.detach()).view(-1)
        fake_loss = self.loss(output, zeros)
        fake_loss.backward()
        shown.append(output.mean().item())
        d_loss = real_loss + fake_loss
        self.d_optimizer.step()

        self.generator.zero_grad()
        output = self.discriminator(fake).view(-1)
        g_loss = self.loss(output, ones)
        g_loss.backward()
        shown.append(output.mean().item())
        self.g_optimizer.step()
        self.shown = [*shown, d_loss.item(), g_loss.item()]

    def _noise(self):
        return torch.randn(workload.BATCH_SIZE, workload.LATENT_DIM, device=self.device)

    def wait(self):
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    @torch.no_grad()
    def pictures(self, count):
        """As the example draws its own: normalised over the batch, as in training."""
        batches = range(0, count, workload.BATCH_SIZE)
        made = [self.generator(self._noise()).float().cpu().numpy() for _ in batches]
        return np.concatenate(made)[:count].transpose(0, 2, 3, 1)


class Best(Example):
    """The same step with all that makes PyTorch fast: what its users reach when they try.

    Channels last, fused Adam, no number read in the loop, and no gradient of D's weights while G is
    updated. `autocast` is to bfloat16, `compiled` by torch.compile.
    """

    layout, fused = torch.channels_last, True

    def __init__(self, images, autocast=True, compiled=False):
        super().__init__(images)
        self.autocast = autocast
        self.ones = torch.ones((workload.BATCH_SIZE, 1), device=self.device)
        self.zeros = torch.zeros_like(self.ones)
        if compiled:
            self.generator.compile()
            self.discriminator.compile()

    def ending(self, discriminator):
        self.loss = nn.BCEWithLogitsLoss()
        return discriminator

    def step(self, real):
        with self._precision():
            fake = self.generator(self._noise())
            on_real, on_fake = self.discriminator(real), self.discriminator(fake.detach())
        loss = self.loss(on_real.float(), self.ones) + self.loss(on_fake.float(), self.zeros)
        self.d_optimizer.zero_grad()
        loss.backward()
        self.d_optimizer.step()

        self.discriminator.requires_grad_(False)
        with self._precision():
            logits = self.discriminator(fake)
        self.g_optimizer.zero_grad()
        self.loss(logits.float(), self.ones).backward()
        self.g_optimizer.step()
        self.discriminator.requires_grad_(True)

    def _precision(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast)
