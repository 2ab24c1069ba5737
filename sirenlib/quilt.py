"""Many small sine networks side by side, blended where they meet.

The coordinates are cut into tiles, and each tile has a network of its own. A point
pays for the network of its tile alone, and near a seam for those of its neighbors.
"""

import functools
import inspect
import itertools
import math
import operator
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from .arguments import positive_number, whole_number
from .initialization import initialize_
from .signals import Signal, suggest_omega_0
from .siren import full_precision

SAMPLES = 1024  # of a signal in a tile, about
OVERLAP = 0.125
Window = Sequence[tuple[float, float]]


class TiledLinear(nn.Module):
    """One linear map for each tile, all of one shape.

    Args:
        tiles: how many.
        in_features, out_features, device, dtype: as in ``torch.nn.Linear``.
        precise: whether it stays outside of autocast, which would round its factors.

    Shape:
        - weight: ``(tiles, in_features, out_features)``
        - bias: ``(tiles, 1, out_features)``
        - Input: ``(blocks, points, in_features)``
        - Output: ``(blocks, points, out_features)``
    """

    def __init__(
        self,
        tiles: int,
        in_features: int,
        out_features: int,
        precise: bool,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.precise = precise
        kind = {"device": device, "dtype": dtype}
        weight = torch.empty(tiles, in_features, out_features, **kind)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.empty(tiles, 1, out_features, **kind))

    def forward(self, x: Tensor, blocks: Tensor | None = None) -> Tensor:
        """The maps of those tiles, one a block; of all tiles, where blocks is None."""
        weight, bias = self.of(blocks)
        if not self.precise:
            return torch.baddbmm(bias, x, weight)
        with full_precision(x.device):
            return torch.baddbmm(bias, x, weight)

    def of(self, blocks: Tensor | None) -> tuple[Tensor, Tensor]:
        """Weight and bias of the tiles with those numbers."""
        if blocks is None:
            return self.weight, self.bias
        return self.weight.index_select(0, blocks), self.bias.index_select(0, blocks)

    def extra_repr(self) -> str:
        return f"{len(self.weight)} times {self.in_features} to {self.out_features}"


class TiledSine(nn.Module):
    """One sine layer for each tile: ``sin(omega_0 * (x W + b))``."""

    def __init__(self, linear: TiledLinear, omega_0: float, is_first: bool):
        super().__init__()
        self.linear, self.omega_0, self.is_first = linear, omega_0, is_first

    def forward(self, x: Tensor, blocks: Tensor | None = None) -> Tensor:
        return torch.sin(self.phase(x, blocks))

    def phase(self, x: Tensor, blocks: Tensor | None = None) -> Tensor:
        """What stands inside the sine."""
        # Outside of autocast .to() changes nothing.
        return self.omega_0 * self.linear(x, blocks).to(self.linear.weight.dtype)

    def extra_repr(self) -> str:
        return f"is_first={self.is_first}, omega_0={self.omega_0:.12g}"


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


class Quilt(nn.Module):
    r"""Small sine networks, one a tile, blended smoothly where tiles overlap.

    Each axis of the window is cut into tiles of one length. A tile reaches beyond its
    seams by half of ``overlap`` times that length, and there two neighbors are blended
    by a polynomial step that joins on with its first two derivatives:
    ``S(t) = t³ (10 - 15 t + 6 t²)``. So value, gradient and Laplacian are continuous.
    Beyond the window the outermost tiles go on alone.

    Each network is a `Siren` of the tile's own coordinates, which run from -1 to 1 over
    the tile with its overlaps. The products of all networks are run as one batched
    product.

    Args:
        tiles: how many along each axis; as many numbers as there are coordinates.
        hidden_features, hidden_layers, out_features: of each network, as in `Siren`.
        overlap: see above, at most 1.
        first_omega_0, hidden_omega_0: as in `Siren`, for the tile's own coordinates.
        init: a name from `sirenlib.initialization.SCHEMES`.
        window: first and last coordinate of each axis; -1 and 1 by default.
        generator: source of all first weights and biases; None is PyTorch's global one.
        device, dtype: as in ``torch.nn.Linear``.

    Shape:
        - Input: ``(*, d)``, for d tiles
        - Output: ``(*, out_features)``

    Raises:
        ValueError: an argument is out of its range, or init is no known name.

    Source: chapter 12; many small networks as in KiloNeRF (Reiser et al. 2021), blended
    as in a partition of unity method (Melenk and Babuška 1996).
    """

    def __init__(
        self,
        tiles: Sequence[int],
        hidden_features: int,
        hidden_layers: int,
        out_features: int,
        *,
        overlap: float = OVERLAP,
        first_omega_0: float = 30.0,
        hidden_omega_0: float = 30.0,
        init: str = "random-phase",
        window: Window | None = None,
        generator: Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        self.tiles = tuple(
            whole_number(f"tiles[{axis}]", n, 1) for axis, n in enumerate(tiles)
        )
        if not 1 <= len(self.tiles) <= 3:
            raise ValueError(
                f"tiles must hold 1 to 3 numbers, one for each axis, not {tiles!r}"
            )
        self.in_features = len(self.tiles)
        self.hidden_features = whole_number("hidden_features", hidden_features, 1)
        self.hidden_layers = whole_number("hidden_layers", hidden_layers, 0)
        self.out_features = whole_number("out_features", out_features, 1)
        self.overlap = positive_number("overlap", overlap)
        if self.overlap > 1:
            raise ValueError(f"overlap must be at most 1, not {overlap!r}")
        self.first_omega_0 = positive_number("first_omega_0", first_omega_0)
        self.hidden_omega_0 = positive_number("hidden_omega_0", hidden_omega_0)
        self.init = init
        self.window = _window(window or [(-1.0, 1.0)] * len(self.tiles), self.tiles)
        count = math.prod(self.tiles)
        hidden = [hidden_features] * (hidden_layers + 1)
        self.net = nn.ModuleList()
        widths = itertools.pairwise([self.in_features, *hidden, out_features])
        for i, (fan_in, fan_out) in enumerate(widths):
            first, last = i == 0, i == hidden_layers + 1
            layer = TiledLinear(count, fan_in, fan_out, first or last, device, dtype)
            if not last:
                omega_0 = self.first_omega_0 if first else self.hidden_omega_0
                layer = TiledSine(layer, omega_0, first)
            self.net.append(layer)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all weights and biases anew, by the scheme ``init``."""
        initialize_(self, self.init, generator=generator)

    @classmethod
    def for_signal(
        cls,
        signal: Signal,
        hidden_features: int = 64,
        hidden_layers: int = 1,
        *,
        generator: Generator | None = None,
    ) -> "Quilt":
        """A quilt for a signal: tiles of about 1024 samples, 32 by 32 in a picture, and
        for each a first omega_0 by the rule of `suggest_omega_0`. On a CPU;
        ``.to(device)`` moves it.

        Source: chapter 12.
        """
        tiles = _tiles_for(signal)
        window = [(a, b) if a != b else (a - 1, a + 1) for a, b in signal.corners()]
        reach = [
            (last - first) / count * (1 + OVERLAP) / 2
            for count, (first, last) in zip(tiles, window, strict=True)
        ]
        inside = signal.coords / signal.coords.new_tensor(reach).abs()
        seen = Signal(inside, signal.values, signal.shape, signal.value_range)
        return cls(
            tiles,
            hidden_features,
            hidden_layers,
            signal.values.shape[1],
            first_omega_0=suggest_omega_0(seen, hidden_layers),
            window=window,
            generator=generator,
        )

    @property
    def dtype(self) -> torch.dtype:
        """That of the weights."""
        return self.net[0].linear.weight.dtype

    def forward(self, coords: Tensor, room: int | None = None) -> Tensor:
        """The values at those points.

        Args:
            room: points that each tile has room for, by `room_for`: no shape depends
                on the coordinates then, and the host does not wait for the device, as
                a recorded step needs it. A point without room becomes NaN. None makes
                as much room as is needed.
        """
        flat = self.flattened(coords)
        places = self.places(flat)
        table = self.table(places, room)
        values = table.spread(places.local)
        for layer in self.net:
            values = layer(values, table.blocks)
        values = table.collect(values)  # (N, k, c)
        values = (places.share[..., None] * values).sum(1)
        return values.view(*coords.shape[:-1], self.out_features)

    def flattened(self, coords: Tensor) -> Tensor:
        """``(N, d)``, in the precision of the weights, and in 32 bits at least, as the
        numbers of the tiles need it.

        Raises:
            ValueError: the last axis has not d coordinates.
        """
        if coords.shape[-1] != self.in_features:
            raise ValueError(
                f"coords have shape {tuple(coords.shape)}: their last axis must have "
                f"{self.in_features} components, one for each axis of the tiles"
            )
        dtype = torch.promote_types(self.dtype, torch.float32)
        return coords.reshape(-1, self.in_features).to(dtype)

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
        found = [_combined(local), share.prod(-1)]
        if derivatives:
            scale = axes.per_unit / self.overlap * axes.has_seam
            first = 30 * scale * (t * (1 - t)) ** 2
            second = 60 * scale**2 * t * (1 - t) * (1 - 2 * t)
            first = _combined(torch.stack([-first, first], -1))  # (N, k, d)
            second = _combined(torch.stack([-second, second], -1))
            d = range(self.in_features)
            others = [share[..., [j for j in d if j != i]].prod(-1) for i in d]
            others = torch.stack(others, -1)
            found += [first * others, (second * others).sum(-1)]
        return Places(tile.long(), *(each.to(self.dtype) for each in found))

    def scale(self, coords: Tensor) -> Tensor:
        """``(d,)``: how far a tile's own coordinates go for one unit of coords."""
        flat = self.flattened(coords)
        axes = _axes(self.tiles, self.window, flat.device, flat.dtype)
        return (axes.per_unit / ((1 + self.overlap) / 2)).to(self.dtype)

    @torch.no_grad()
    def table(self, places: Places, room: int | None = None) -> Table:
        """Where each pair of a point and a tile goes, with that much room or enough."""
        tiles, device = math.prod(self.tiles), places.tile.device
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
        coords = self.flattened(coords)
        if strides and points < len(coords):
            # No batch has more of a place than so many whole grids have, and where it
            # goes from one into another a row more.
            grids = math.ceil(
                points / math.prod(map(operator.floordiv, shape, strides))
            )
            counts = self._counts_along(coords.view(*shape, -1))
            counts = [-(-n // s) for n, s in zip(counts, strides, strict=True)]
            return grids * math.prod(counts) + 2 * math.prod(counts[1:])
        tiles = math.prod(self.tiles)
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
        d, counts = range(self.in_features), []
        for i, n in enumerate(self.tiles):
            line = grid[tuple(slice(None) if j == i else 0 for j in d)][:, i]
            at = (line - axes.first[i]) * axes.per_unit[i]  # in tiles
            reach = self.overlap / 2 + 0.02 * float((at[1] - at[0]).abs())
            number = torch.arange(n, device=at.device)[:, None]
            begun = (at > number - reach) | (number == 0)
            inside = begun & ((at < number + 1 + reach) | (number == n - 1))
            counts.append(int(inside.sum(1).max()))
        return counts

    def architecture(self) -> dict:
        """The arguments that make a quilt of this form."""
        names = set(inspect.signature(Quilt).parameters)
        names -= {"generator", "device", "dtype"}
        return {name: getattr(self, name) for name in sorted(names)}

    def extra_repr(self) -> str:
        return f"tiles={self.tiles}, overlap={self.overlap:g}, init={self.init!r}"


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


def _tiles_for(signal: Signal) -> list[int]:
    """Tiles along each axis, of about `SAMPLES` samples each. Scattered points count as
    a grid that is as dense along all axes."""
    shape, d = signal.shape, signal.coords.shape[1]
    if len(shape) != d or not signal.is_grid:
        lengths = [abs(last - first) or 1.0 for first, last in signal.corners()]
        density = (len(signal.coords) / math.prod(lengths)) ** (1 / d)
        shape = [density * length for length in lengths]
    return [max(1, round(count / SAMPLES ** (1 / d))) for count in shape]


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
