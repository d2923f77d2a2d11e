"""A GAN in the shape of PyTorch's DCGAN example: eager, float32, five numbers read per step.

Reference: https://github.com/pytorch/examples/tree/main/dcgan
"""

import torch
from torch import nn

from benchmarks import workload
from benchmarks.peers import torch_networks


class Example(torch_networks.Players):
    """The contestant."""

    def __init__(self, network, images):
        self.device = torch_networks.device()
        generator, discriminator = torch_networks.NETWORKS[network]()
        self.generator = generator.to(self.device)
        # The example's D ends in a probability, and its loss takes one.
        self.discriminator = nn.Sequential(*discriminator, nn.Sigmoid()).to(self.device)
        self.loss = nn.BCELoss()
        self.d_optimizer = torch_networks.adam(self.discriminator)
        self.g_optimizer = torch_networks.adam(self.generator)
        self.images = torch_networks.channels_first(images)

    def step(self, real):
        size = (len(real),)
        ones, zeros = (torch.full(size, value, device=self.device) for value in (1.0, 0.0))

        self.discriminator.zero_grad()
        output = self.discriminator(real).view(-1)
        real_loss = self.loss(output, ones)
        real_loss.backward()
        shown = [output.mean().item()]
        noise = torch.randn(len(real), workload.LATENT_DIM, device=self.device)
        fake = self.generator(noise)
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
        shown += [d_loss.item(), g_loss.item()]
        return shown


build = Example
