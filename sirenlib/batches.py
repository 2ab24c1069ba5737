"""Which points a step of a fit learns from."""

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from .signals import Signal


def batches(
    signal: Signal, size: int, seed: int, done: int, steps: int
) -> Iterator[Tensor]:
    """The points of each step from ``done`` to ``steps``: ``(size,)``, on the signal's
    device.

    Epochs stand end to end, so that the last batch of one is filled up from the next.
    The order of an epoch follows from the seed and its number alone.
    """
    points, device = len(signal.coords), signal.coords.device
    strides = coarser_strides(signal, size)

    def order_of(epoch: int) -> Tensor:
        if not strides:
            shuffle = Generator(device).manual_seed(seed + epoch)
            kind = {"dtype": torch.int32, "device": device}
            return torch.randperm(points, generator=shuffle, **kind)
        return _coarser_grids(signal.shape, strides, seed + epoch, device)

    epoch, skipped = divmod(done * size, points)
    order = order_of(epoch)[skipped:]
    for _ in range(done, steps):
        if len(order) < size:
            epoch += 1
            order = order.clone()  # the rest of an epoch, without the whole of it
            order = torch.cat([order, order_of(epoch)])
        yield order[:size].clone()  # a view would keep the whole order alive
        order = order[size:]


def _coarser_grids(
    shape: tuple[int, ...], strides: list[int], seed: int, device: torch.device
) -> Tensor:
    """All points of a grid: the coarser grids with those strides, in a random order."""
    shuffle = Generator().manual_seed(seed)
    starts = list(itertools.product(*map(range, strides)))
    grid = torch.arange(math.prod(shape), dtype=torch.int32, device=device)
    order, filled = torch.empty_like(grid), 0
    grid = grid.view(shape)
    for i in torch.randperm(len(starts), generator=shuffle).tolist():
        part = grid[tuple(map(slice, starts[i], shape, strides))]
        order[filled : filled + part.numel()].view(part.shape).copy_(part)
        filled += part.numel()
    return order


def coarser_strides(signal: Signal, size: int) -> list[int]:
    """Steps along the axes, as alike as can be, by which a grid becomes coarser ones of
    so many points or fewer. Empty where the points are no grid."""
    if not signal.is_grid:
        return []
    strides = [1] * len(signal.shape)
    while math.prod(strides) * size < len(signal.coords):
        longer = [i for i, n in enumerate(signal.shape) if strides[i] < n]
        strides[min(longer, key=strides.__getitem__)] += 1
    return strides
