"""The same step with all that makes PyTorch fast: what its users reach when they try.

bfloat16 autocast, channels last, fused Adam, no number read in the loop, and no gradient of D's
weights while G is updated.
"""

import torch
from torch import nn

from benchmarks import workload
from benchmarks.peers import torch_networks


class Best(torch_networks.Players):
    """The contestant; `autocast` off is the same in float32, `compiled` is by torch.compile."""

    def __init__(self, network, images, autocast=True, compiled=False):
        self.device = torch_networks.device()
        generator, discriminator = torch_networks.NETWORKS[network]()
        self.generator = generator.to(self.device, memory_format=torch.channels_last)
        self.discriminator = discriminator.to(self.device, memory_format=torch.channels_last)
        if compiled:
            self.generator.compile()
            self.discriminator.compile()
        self.autocast = autocast
        self.loss = nn.BCEWithLogitsLoss()
        self.d_optimizer = torch_networks.adam(self.discriminator, fused=True)
        self.g_optimizer = torch_networks.adam(self.generator, fused=True)
        images = torch_networks.channels_first(images)
        self.images = images.contiguous(memory_format=torch.channels_last)
        shape = (workload.BATCH_SIZE, 1)
        self.ones = torch.ones(shape, device=self.device)
        self.zeros = torch.zeros(shape, device=self.device)

    def step(self, real):
        noise = torch.randn(len(real), workload.LATENT_DIM, device=self.device)
        with self._precision():
            fake = self.generator(noise)
            real_logits = self.discriminator(real)
            fake_logits = self.discriminator(fake.detach())
        loss = self.loss(real_logits.float(), self.ones) + self.loss(
            fake_logits.float(), self.zeros
        )
        self.d_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.d_optimizer.step()

        self.discriminator.requires_grad_(False)
        with self._precision():
            logits = self.discriminator(fake)
        self.g_optimizer.zero_grad(set_to_none=True)
        self.loss(logits.float(), self.ones).backward()
        self.g_optimizer.step()
        self.discriminator.requires_grad_(True)

    def _precision(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast)


build = Best
