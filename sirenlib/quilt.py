"""Many small sine networks side by side, blended where they meet.

The coordinates are cut into tiles, and each tile has a network of its own. A point
pays for the network of its tile alone, and near a seam for those of its neighbors.
"""

import inspect
import itertools
import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from .arguments import positive_number, whole_number
from .initialization import initialize_
from .signals import Signal, suggest_omega_0
from .siren import full_precision
from .tiling import Places, Tiling, Window

SAMPLES = 1024  # of a signal in a tile, about
OVERLAP = 0.125


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

    Source: chapter 13; many small networks as in KiloNeRF (Reiser et al. 2021), blended
    as in a partition of unity method (Melenk and Babuška 1996).

    Example:
        >>> import sirenlib
        >>> import torch
        >>> quilt = sirenlib.Quilt((2, 3), 16, 1, out_features=1)
        >>> quilt.net[0].linear.weight.shape[0]  # tiles
        6
        >>> tuple(quilt(torch.zeros(5, 2)).shape)
        (5, 1)
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
        self.tiling = Tiling(tiles, overlap, window)
        self.tiles, self.window = self.tiling.tiles, self.tiling.window
        self.overlap = self.tiling.overlap
        self.in_features = len(self.tiles)
        self.hidden_features = whole_number("hidden_features", hidden_features, 1)
        self.hidden_layers = whole_number("hidden_layers", hidden_layers, 0)
        self.out_features = whole_number("out_features", out_features, 1)
        self.first_omega_0 = positive_number("first_omega_0", first_omega_0)
        self.hidden_omega_0 = positive_number("hidden_omega_0", hidden_omega_0)
        self.init = init
        hidden = [hidden_features] * (hidden_layers + 1)
        self.net = nn.ModuleList()
        widths = itertools.pairwise([self.in_features, *hidden, out_features])
        for i, (fan_in, fan_out) in enumerate(widths):
            first, last = i == 0, i == hidden_layers + 1
            layer = TiledLinear(
                self.tiling.count, fan_in, fan_out, first or last, device, dtype
            )
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

        Source: chapter 13.
        """
        tiles = _tiles_for(signal)
        window = [(a, b) if a != b else (a - 1, a + 1) for a, b in signal.corners()]
        scale = Tiling(tiles, OVERLAP, window).scale(signal.coords.dtype, "cpu")
        inside = signal.coords * scale.abs().to(signal.coords.device)
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
            room: points that each tile has room for, by `Tiling.room_for`: no shape
                depends on the coordinates then, and the host does not wait for the
                device, as a recorded step needs it. A point without room becomes NaN.
                None makes as much room as is needed.
        """
        places = self.places(coords)
        table = self.tiling.table(places, room)
        values = table.spread(places.local)
        for layer in self.net:
            values = layer(values, table.blocks)
        values = table.collect(values)  # (N, k, c)
        values = (places.share[..., None] * values).sum(1)
        return values.view(*coords.shape[:-1], self.out_features)

    def places(self, coords: Tensor, derivatives: bool = False) -> Places:
        """The tiles of each point of ``(*, d)``, and its place in them.

        Raises:
            ValueError: the last axis has not d coordinates.
        """
        if coords.shape[-1] != self.in_features:
            raise ValueError(
                f"coords have shape {tuple(coords.shape)}: their last axis must have "
                f"{self.in_features} components, one for each axis of the tiles"
            )
        # The numbers of the tiles need 32 bits.
        precise = coords.to(torch.promote_types(self.dtype, torch.float32))
        flat = precise.reshape(-1, self.in_features)  # (N, d)
        return self.tiling.places(flat, derivatives).to(self.dtype)

    def architecture(self) -> dict:
        """The arguments that make a quilt of this form."""
        names = set(inspect.signature(Quilt).parameters)
        names -= {"generator", "device", "dtype"}
        return {name: getattr(self, name) for name in sorted(names)}

    def extra_repr(self) -> str:
        return f"tiles={self.tiles}, overlap={self.overlap:g}, init={self.init!r}"


def _tiles_for(signal: Signal) -> list[int]:
    """Tiles along each axis, of about `SAMPLES` samples each. Scattered points count as
    a grid that is as dense along all axes."""
    shape, d = signal.shape, signal.coords.shape[1]
    if len(shape) != d or not signal.is_grid:
        lengths = [abs(last - first) or 1.0 for first, last in signal.corners()]
        density = (len(signal.coords) / math.prod(lengths)) ** (1 / d)
        shape = [density * length for length in lengths]
    return [max(1, round(count / SAMPLES ** (1 / d))) for count in shape]
