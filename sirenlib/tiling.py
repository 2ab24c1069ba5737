"""Where points lie among tiles that overlap, and how much each tile counts there."""

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .arguments import positive_number, whole_number

Window = Sequence[tuple[float, float]]


class Places(NamedTuple):
    """The tiles that may hold each point, k of them: two along each axis with a seam.

    Args:
        tile: ``(N, k)``, their numbers, row by row.
        local: ``(N, k, d)``, the point in the coordinates of each.
        share: ``(N, k)``, how much of each is in the blend; a row sums to one.
        slope, bend: ``(N, k, d)`` and ``(N, k)``, the share's gradient and Laplacian.
    """

    tile: Tensor
    local: Tensor
    share: Tensor
    slope: Tensor | None = None
    bend: Tensor | None = None

    def to(self, dtype: torch.dtype) -> "Places":
        """The same, in another precision."""
        others = (None if each is None else each.to(dtype) for each in self[1:])
        return Places(self.tile, *others)


class Table(NamedTuple):
    """The points of each tile, in blocks of as many rows as there is room for.

    Args:
        slot: ``(N, k)``, the row of each pair of a point and a tile. Two rows stand
            behind the blocks: one of zeros for pairs without a share, and one of NaN
            for those that found no room.
        blocks: the tile of each block; None is every tile once, in order.
        count, room: blocks, and rows in each.
    """

    slot: Tensor
    blocks: Tensor | None
    count: int
    room: int

    def spread(self, local: Tensor) -> Tensor:
        """``(count, room, d)``: the points at their places, from ``(N, k, d)``."""
        rows = local.new_zeros(self.count * self.room + 2, local.shape[-1])
        rows = rows.index_copy(0, self.slot.flatten(), local.flatten(0, 1))
        return rows[:-2].view(self.count, self.room, local.shape[-1])

    def collect(self, values: Tensor) -> Tensor:
        """``(N, k, c)``: what stands at the places, of ``(count, room, c)``."""
        behind = [
            values.new_full((1, values.shape[-1]), each) for each in (0, math.nan)
        ]
        rows = torch.cat([values.flatten(0, 1), *behind])
        return rows.index_select(0, self.slot.flatten()).unflatten(0, self.slot.shape)


@dataclass(frozen=True)
class Tiling:
    """An interval, rectangle or box, cut along each axis into tiles of one length.

    A tile reaches beyond its seams by half of ``overlap`` times that length. There two
    neighbors share a point by a polynomial step that joins on with its first two
    derivatives, ``S(t) = t³ (10 - 15 t + 6 t²)``. Beyond the window the outermost tiles
    go on alone.

    Args:
        tiles: how many along each axis, 1 to 3 numbers.
        overlap: see above, at most 1.
        window: first and last coordinate of each axis; None is -1 and 1.

    Raises:
        ValueError: an argument is out of its range.

    Source: chapter 13.
    """

    tiles: tuple[int, ...]
    overlap: float
    window: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self):
        tiles = tuple(
            whole_number(f"tiles[{axis}]", n, 1) for axis, n in enumerate(self.tiles)
        )
        if not 1 <= len(tiles) <= 3:
            raise ValueError(
                f"tiles must hold 1 to 3 numbers, one for each axis, not {self.tiles!r}"
            )
        if positive_number("overlap", self.overlap) > 1:
            raise ValueError(f"overlap must be at most 1, not {self.overlap!r}")
        window = _window(self.window or [(-1.0, 1.0)] * len(tiles), tiles)
        for name, each in {"tiles": tiles, "window": window}.items():
            object.__setattr__(self, name, each)
        object.__setattr__(self, "overlap", float(self.overlap))

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return math.prod(self.tiles)

    def places(self, coords: Tensor, derivatives: bool = False) -> Places:
        """The tiles of each point of ``(N, d)``, and its place in them."""
        axes = _axes(self.tiles, self.window, coords.device, coords.dtype)
        at = (coords - axes.first) * axes.per_unit  # (N, d), in tiles
        seam = at.detach().round().clamp(min=1).minimum(axes.last_seam)
        beyond = at - seam
        t = (beyond / self.overlap + 0.5).clamp(0, 1)
        step = t * t * t * (10 + t * (6 * t - 15)) * axes.has_seam
        share = _combined(torch.stack([1 - step, step], -1))  # (N, k, d)
        half = (1 + self.overlap) / 2
        local = torch.stack([(beyond + 0.5) / half, (beyond - 0.5) / half], -1)
        tile = ((seam - 1) * axes.strides).sum(-1, keepdim=True) + axes.offsets
        slope = bend = None
        if derivatives:
            scale = axes.per_unit / self.overlap * axes.has_seam
            first = 30 * scale * (t * (1 - t)) ** 2
            second = 60 * scale**2 * t * (1 - t) * (1 - 2 * t)
            first = _combined(torch.stack([-first, first], -1))  # (N, k, d)
            second = _combined(torch.stack([-second, second], -1))
            d = range(len(self.tiles))
            others = [share[..., [j for j in d if j != i]].prod(-1) for i in d]
            others = torch.stack(others, -1)
            slope, bend = first * others, (second * others).sum(-1)
        return Places(tile.long(), _combined(local), share.prod(-1), slope, bend)

    def scale(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """``(d,)``: a tile's own coordinates for one unit of the window's."""
        axes = _axes(self.tiles, self.window, device, dtype)
        return axes.per_unit / ((1 + self.overlap) / 2)

    @torch.no_grad()
    def table(self, places: Places, room: int | None = None) -> Table:
        """Where each pair of a point and a tile goes, with that much room or enough."""
        tiles, device = self.count, places.tile.device
        key = places.tile.masked_fill(~(places.share > 0), tiles).flatten()
        ordered, order = key.sort(stable=True)
        numbers = torch.arange(max(len(key), tiles + 1), device=device)
        first = torch.searchsorted(ordered, numbers[: tiles + 1])
        rank = numbers[: len(key)] - first[ordered]
        blocks, block, count, short = None, ordered, tiles, rank < 0
        if room is None:
            sizes = first.diff()
            busy, most = max(1, int(sizes.count_nonzero())), int(sizes.max())
            # A fuller tile takes several blocks, so that few rows stay empty.
            room = max(1, min(most, 2 * math.ceil(int(first[-1]) / busy)))
            if busy < tiles or room < most:
                of_tile = (sizes + room - 1) // room
                blocks = numbers[:tiles].repeat_interleave(of_tile)
                count = len(blocks)
                begin = of_tile.cumsum(0) - of_tile
                block = begin[ordered.clamp(max=tiles - 1)]
        else:
            short = rank >= room
        nowhere = count * room
        slot = (block * room + rank).masked_fill(short, nowhere + 1)
        slot = slot.masked_fill(ordered == tiles, nowhere)
        slot = torch.empty_like(slot).index_copy_(0, order, slot)
        return Table(slot.view(places.tile.shape), blocks, count, room)

    @torch.no_grad()
    def room_for(
        self, coords: Tensor, points: int, shape: Sequence[int], strides: Sequence[int]
    ) -> int:
        """Room for any batch of so many of these points, as `fit` draws them.

        Args:
            coords: ``(N, d)``, all points; of a grid they have its shape.
            strides: of the coarser grids that batches are cut from, one after another;
                empty where the points are shuffled.
        """
        coords = coords.to(torch.promote_types(coords.dtype, torch.float32))
        if strides and points < len(coords):
            # No batch has more of a place than so many whole grids have; where it goes
            # from one into another, which it does unless all are as large, a row more.
            smallest = math.prod(map(operator.floordiv, shape, strides))
            grids = math.ceil(points / smallest)
            counts = self._counts_along(coords.view(*shape, -1))
            counts = [-(-n // s) for n, s in zip(counts, strides, strict=True)]
            rows = 0 if grids == 1 else 2
            return grids * math.prod(counts) + rows * math.prod(counts[1:])
        tiles = self.count
        sizes = torch.zeros(tiles + 1, dtype=torch.int64, device=coords.device)
        for part in coords.split(2**18):
            places = self.places(part)
            key = torch.where(places.share > 0, places.tile, tiles)
            sizes += key.flatten().bincount(minlength=tiles + 1)
        largest = int(sizes[:-1].max())
        if points >= len(coords):
            return max(1, largest)
        mean = largest * points / len(coords)  # chance adds a few times its root
        # Where one epoch ends and the next begins a batch may have a point twice.
        return min(2 * largest, math.ceil(mean + 7 * math.sqrt(mean) + 8)) or 1

    def _counts_along(self, grid: Tensor) -> list[int]:
        """Along each axis of a grid ``(*shape, d)``: the most points in one tile.

        A `Signal` counts as a grid up to a hundredth of a step.
        """
        axes = _axes(self.tiles, self.window, grid.device, grid.dtype)
        d, counts = range(len(self.tiles)), []
        for i, n in enumerate(self.tiles):
            line = grid[tuple(slice(None) if j == i else 0 for j in d)][:, i]
            at = (line - axes.first[i]) * axes.per_unit[i]  # in tiles
            reach = self.overlap / 2 + 0.02 * float((at[1] - at[0]).abs())
            number = torch.arange(n, device=at.device)[:, None]
            begun = (at > number - reach) | (number == 0)
            inside = begun & ((at < number + 1 + reach) | (number == n - 1))
            counts.append(int(inside.sum(1).max()))
        return counts


def _combined(sides: Tensor) -> Tensor:
    """``(N, 2^d, d)``: all choices of a side along each axis, from ``(N, d, 2)``."""
    d = sides.shape[1]
    alone = [
        sides[:, i].view(-1, *(2 if j == i else 1 for j in range(d))) for i in range(d)
    ]
    return torch.stack(torch.broadcast_tensors(*alone), -1).flatten(1, -2)


class _Axes(NamedTuple):
    """Constants of `Quilt.places`: one number an axis, and one a choice of sides."""

    first: Tensor
    per_unit: Tensor
    last_seam: Tensor
    has_seam: Tensor
    strides: Tensor
    offsets: Tensor


@functools.lru_cache(maxsize=16)
def _axes(
    tiles: tuple[int, ...], window: tuple, device: torch.device, dtype: torch.dtype
) -> _Axes:
    """Made once, since a recorded step cannot bring numbers to the device."""
    lengths = [last - first for first, last in window]
    strides = [math.prod(tiles[i + 1 :]) for i in range(len(tiles))]
    sides = itertools.product((0, 1), repeat=len(tiles))
    rows = _Axes(
        first=[first for first, _ in window],
        per_unit=[n / length for n, length in zip(tiles, lengths, strict=True)],
        last_seam=[max(1, n - 1) for n in tiles],
        has_seam=[n > 1 for n in tiles],
        strides=strides,
        offsets=[sum(map(operator.mul, strides, side)) for side in sides],
    )
    with torch.inference_mode(False):
        return _Axes(*(torch.tensor(row, dtype=dtype, device=device) for row in rows))


def _window(window: Window, tiles: tuple[int, ...]) -> tuple:
    """The window as pairs of numbers, or a ValueError."""
    pairs = tuple((float(first), float(last)) for first, last in window)
    if len(pairs) != len(tiles):
        raise ValueError(
            f"window has {len(pairs)} pairs and there are {len(tiles)} axes of tiles: "
            "give the first and the last coordinate of each axis"
        )
    if any(first == last or not math.isfinite(last - first) for first, last in pairs):
        raise ValueError(
            f"window {pairs} must hold two different finite numbers a pair"
        )
    return pairs
