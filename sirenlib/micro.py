"""The whole idea on one screen: network, start, grid and loop. Nothing of ours in it.

`Siren` and `fit` of the library do the same, and a test holds them to it: from the
same weights and batches they reach the same numbers. They add what a user needs.
"""

import itertools
import math

import torch
from torch import nn


class MicroSiren(nn.Module):
    """Sines of weighted sums: ``(N, d)`` to ``(N, channels)``."""

    def __init__(self, d=2, width=256, hidden_layers=3, channels=1, omega_0=30.0):
        super().__init__()
        widths = [d] + [width] * (hidden_layers + 1) + [channels]
        maps = [nn.Linear(n, m) for n, m in itertools.pairwise(widths)]
        self.maps, self.omega_0 = nn.ModuleList(maps), omega_0
        for i, linear in enumerate(maps):  # the official start
            n = linear.in_features
            bound = math.sqrt(6 / n) / omega_0 if i else 1 / n
            nn.init.uniform_(linear.weight, -bound, bound)

    def forward(self, x):
        for linear in self.maps[:-1]:
            x = torch.sin(self.omega_0 * linear(x))
        return self.maps[-1](x)


def micro_grid(height, width):
    """Row and column of every pixel, from -1 to 1: ``(height * width, 2)``."""
    rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    return torch.cartesian_prod(rows, columns)


def micro_fit(model, coords, values, batches, lr=5e-4):
    """One step of Adam for each batch of indices, at a rate that falls to zero."""
    adam = torch.optim.Adam(model.parameters())
    for step, index in enumerate(batches):
        adam.param_groups[0]["lr"] = lr * (1 - step / len(batches))
        adam.zero_grad()
        (model(coords[index]) - values[index]).square().mean().backward()
        adam.step()
