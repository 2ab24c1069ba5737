"""The networks that are fitted side by side, and the recipe of each.

Plain PyTorch, all of about 200,000 parameters unless said otherwise, and all trained by
`sirenlib.fit`: batches, Adam, a rate that falls to zero. So one loop serves all, and
they differ in the network, the learning rate and the batch alone.

Gaussian splats are not among them: the packages for them draw on a GPU, or, as
splatthis 0.3.2, make drawings of a few thousand splats with a loop of their own.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

import sirenlib
from sirenlib import Signal, Siren


def relu_network(widths: list[int], generator: Generator | None) -> nn.Sequential:
    """Linear maps with ReLU between them, drawn as PyTorch draws them."""
    layers = []
    for n, out_features in itertools.pairwise(widths):
        linear = nn.utils.skip_init(nn.Linear, n, out_features)
        with torch.no_grad():
            for tensor in (linear.weight, linear.bias):
                tensor.uniform_(
                    -1 / math.sqrt(n), 1 / math.sqrt(n), generator=generator
                )
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class FourierFeatures(nn.Module):
    """Cosines and sines of random frequencies, then a ReLU network.

    Args:
        sigma: standard deviation of the frequencies along each axis, in periods per
            picture, whose coordinates go from -1 to 1.
        frequencies: how many are drawn; the network reads twice as many features.

    Source: Tancik et al. 2020 (arXiv 2006.10739), section 5, "Gaussian";
    tancik/fourier-feature-networks.
    """

    def __init__(
        self,
        out_features: int,
        sigma: float = 10.0,
        frequencies: int = 256,
        width: int = 256,
        generator: Generator | None = None,
    ):
        super().__init__()
        drawn = sigma * torch.randn(frequencies, 2, generator=generator)
        self.register_buffer("frequencies", drawn)
        widths = [2 * frequencies, width, width, width, out_features]
        self.net = relu_network(widths, generator)

    def features(self, coords: Tensor) -> Tensor:
        phase = math.pi * coords @ self.frequencies.T  # a period has 2/frequency
        return torch.cat([phase.cos(), phase.sin()], -1)

    def forward(self, coords: Tensor) -> Tensor:
        return self.net(self.features(coords))


class HashGrid(nn.Module):
    """Learned tables on grids of growing resolution, then a small ReLU network.

    A level with resolution r has (r + 1)² vertices on [-1, 1]². Between them its
    features are interpolated bilinearly. Where the vertices fit a table of
    ``table_size`` rows each has its own row; on finer levels the spatial hash of the
    paper chooses the row, and vertices share it.

    Source: Müller et al. 2022 (arXiv 2201.05989), section 3; NVlabs/tiny-cuda-nn.
    """

    PRIME = 2_654_435_761  # of the second axis; the first has 1

    def __init__(
        self,
        out_features: int,
        finest: int,
        coarsest: int = 16,
        levels: int = 8,
        features: int = 4,
        table_size: int = 2**14,
        width: int = 64,
        generator: Generator | None = None,
    ):
        super().__init__()
        growth = (finest / coarsest) ** (1 / (levels - 1))
        resolution = [round(coarsest * growth**level) for level in range(levels)]
        rows = torch.tensor([min((r + 1) ** 2, table_size) for r in resolution])
        self.table_size = table_size
        self.register_buffer("resolution", torch.tensor(resolution))
        self.register_buffer("first_row", rows.cumsum(0) - rows)
        self.register_buffer("corners", torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]))
        table = 1e-4 * (2 * torch.rand(rows.sum(), features, generator=generator) - 1)
        self.table = nn.Parameter(table)
        self.net = relu_network(
            [levels * features, width, width, out_features], generator
        )

    def row(self, vertex: Tensor) -> Tensor:
        """Rows of the table for ``(..., levels, 2)`` whole numbers from 0 to r."""
        first, second = vertex.unbind(-1)
        side = self.resolution + 1
        dense = first * side + second
        hashed = (first ^ (second * self.PRIME)) % self.table_size
        return self.first_row + torch.where(side**2 <= self.table_size, dense, hashed)

    def encode(self, coords: Tensor) -> Tensor:
        """The interpolated features of all levels: ``(batch, levels, features)``."""
        place = (coords[:, None, :] + 1) / 2 * self.resolution[:, None]
        # The last vertex belongs to the last cell.
        cell = place.long().minimum(self.resolution[:, None] - 1).clamp(min=0)
        share = place - cell  # of the next vertex, along each axis
        corner = self.corners[:, None, None, :]
        weight = torch.where(corner == 1, share, 1 - share).prod(-1)
        rows = self.row(cell + corner)  # (4, batch, levels)
        features = F.embedding_bag(
            rows.flatten(1).T,
            self.table,
            per_sample_weights=weight.flatten(1).T,
            mode="sum",
        )
        return features.reshape(*place.shape[:2], -1)

    def forward(self, coords: Tensor) -> Tensor:
        return self.net(self.encode(coords).flatten(1))


class Finer(Siren):
    """A SIREN whose sines grow faster away from zero: sin(omega_0 (|z| + 1) z).

    z is the linear map before omega_0. As in the authors' code no gradient flows
    through the factor |z| + 1. Weights and biases are those of the SIREN.

    Source: Liu et al. 2024 (arXiv 2312.02434), equation 5; liuzhen0212/FINER.
    """

    def forward(self, coords: Tensor) -> Tensor:
        *sines, last = self.net
        for layer in sines:
            z = layer.linear(coords)
            coords = torch.sin(layer.omega_0 * (z.abs() + 1).detach() * z)
        return last(coords)


@dataclass(frozen=True)
class Contender:
    """A network for a signal, where it is from, and what `sirenlib.fit` is told."""

    name: str
    make: Callable[[Signal, Generator], nn.Module]
    paper: str = ""  # addresses
    code: str = ""
    lr: float | None = None  # None is what `sirenlib.fit` takes by itself
    batch_size: int | None = None

    @property
    def options(self) -> dict:
        return {"lr": self.lr, "batch_size": self.batch_size}


def quilt(signal: Signal, generator: Generator) -> nn.Module:
    return sirenlib.Quilt.for_signal(signal, generator=generator)


def ours(signal: Signal, generator: Generator) -> nn.Module:
    return Siren.for_signal(signal, generator=generator)


def copied(signal: Signal, generator: Generator) -> nn.Module:
    """The network of the authors' notebook, as the tutorials have it."""
    return Siren(2, 256, 3, signal.values.shape[1], generator=generator)


def finer(signal: Signal, generator: Generator, share: float) -> nn.Module:
    """Its first omega_0 is that share of the picture's side."""
    omega_0, channels = max(signal.shape) / share, signal.values.shape[1]
    return Finer(2, 256, 3, channels, first_omega_0=omega_0, generator=generator)


def siren_pytorch(signal: Signal, generator: Generator, **options) -> nn.Module:
    """The package's network in the same size, with its own defaults or others."""
    from siren_pytorch import SirenNet  # late: the others do not need the package

    torch.manual_seed(generator.initial_seed())  # it takes no generator
    channels = signal.values.shape[1]
    return SirenNet(dim_in=2, dim_hidden=256, dim_out=channels, num_layers=4, **options)


def siren_pytorch_by_the_book(
    signal: Signal, generator: Generator, share: float
) -> nn.Module:
    """Hidden omega_0 30 instead of its 1, and a first one that fits the picture."""
    omega_0 = max(signal.shape) / share
    return siren_pytorch(signal, generator, w0=30.0, w0_initial=omega_0)


def fourier_features(
    signal: Signal, generator: Generator, sigma: float, width: int
) -> nn.Module:
    channels = signal.values.shape[1]
    return FourierFeatures(channels, sigma=sigma, width=width, generator=generator)


def hash_grid(
    signal: Signal,
    generator: Generator,
    rows: int = 4,
    shape: tuple[int, int] = (8, 4),
    width: int = 64,
) -> nn.Module:
    """A level has a row of its features for so many pixels at most.

    Eight levels of four features and a row for four pixels: the tables hold about as
    many numbers as the color picture, and three times as many as the gray one.
    """
    side, channels = max(signal.shape), signal.values.shape[1]
    levels, features = shape
    table_size = 2 ** int(math.log2(len(signal.coords) / rows))
    return HashGrid(
        channels,
        side,
        levels=levels,
        features=features,
        table_size=table_size,
        width=width,
        generator=generator,
    )


SIREN = "https://arxiv.org/abs/2006.09661", "https://github.com/vsitzmann/siren"
PACKAGE = SIREN[0], "https://github.com/lucidrains/siren-pytorch"
FOURIER = (
    "https://arxiv.org/abs/2006.10739",
    "https://github.com/tancik/fourier-feature-networks",
)
HASHED = "https://arxiv.org/abs/2201.05989", "https://github.com/NVlabs/tiny-cuda-nn"
FINER = "https://arxiv.org/abs/2312.02434", "https://github.com/liuzhen0212/FINER"

# Ours come first, with what the library takes by itself. Of each other, `tune.py` has
# tried the settings in its comment, two seeds each in gray and one in color, and the
# best is here.
GRAY = [
    Contender("quilt", quilt),
    Contender("sirenlib.fit", ours, *SIREN),
    # First omega_0 of N/2, N/3 and N/4; lr 3e-4, 5e-4 and 1e-3; batches of 512, 1024
    # and 2048.
    Contender(
        "siren-pytorch, our recipe",
        partial(siren_pytorch_by_the_book, share=2),
        *PACKAGE,
        lr=5e-4,
        batch_size=1024,
    ),
    # Sigma 10, 20, 25, 30 and 40; lr 1e-3, 2e-3 and 4e-3; widths of 128, 160, 208 and
    # 256; batches of 512, 1024 and 2048.
    Contender(
        "Fourier features",
        partial(fourier_features, sigma=20.0, width=160),
        *FOURIER,
        lr=4e-3,
        batch_size=512,
    ),
    # lr 1e-2, 2e-2 and 4e-2; batches of 512, 1024, 2048 and 4096; a row for 2, 3, 4 and
    # 8 pixels; 12 and 16 levels of 2 features; widths of 16, 32 and 64; the Adam of its
    # authors. With a row for 2 pixels it is better still, with 1.8 times the parameters
    # of the single network.
    Contender(
        "hash grid", partial(hash_grid, width=32), *HASHED, lr=2e-2, batch_size=1024
    ),
    # First omega_0 of N/2, N/3, N/4 and N/8; lr 3e-4, 5e-4 and 1e-3; batches of 512,
    # 1024 and 2048.
    Contender("FINER", partial(finer, share=4), *FINER, lr=3e-4, batch_size=512),
]

# Four times as many steps to an epoch as in gray.
COLOR = [
    *GRAY[:2],
    # lr 1e-3 and 2e-3, sigma 20 and 30 with 128 frequencies; the width is that of gray.
    Contender(
        "Fourier features",
        partial(fourier_features, sigma=20.0, width=160),
        *FOURIER,
        lr=2e-3,
        batch_size=1024,
    ),
    # lr 1e-2, 2e-2 and 4e-2; batches of 512, 1024, 2048 and 4096; a row for 2, 4 and 8
    # pixels; widths of 32 and 64.
    Contender("hash grid", hash_grid, *HASHED, lr=2e-2, batch_size=1024),
    # First omega_0 of N/8 and N/4.
    Contender("FINER", partial(finer, share=8), *FINER, lr=3e-4, batch_size=1024),
]

# Trained as the tutorials do: every pixel in every step, Adam at 1e-4.
REFERENCES = {
    one.name: one
    for one in (
        Contender("copied recipe", copied, *SIREN),
        Contender("siren-pytorch 0.1.7", siren_pytorch, *PACKAGE),
    )
}
