"""Samples of a function as pairs of coordinates and values."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .arguments import whole_number

LARGEST = 65_535  # pixels along a side, as in a JPEG file
OFFICIAL = 30.0  # the first omega_0 of the paper


@dataclass(frozen=True, eq=False)
class Signal:
    """Samples of a function: at ``coords[i]`` it has the value ``values[i]``.

    Args:
        coords: ``(N, d)``, floating point. In a picture ``coords[:, 0]`` is the row.
        values: ``(N, c)``, floating point, inside ``value_range``.
        shape: lengths of the grid's axes, row by row, with product N.
        value_range: smallest and largest possible value; `psnr` is relative to it.
        weights: ``(N, 1)`` or ``(N, c)``, how much each value counts in a fit and in
            its PSNR; 0 is missing. None counts all alike.

    Raises:
        ValueError: naming the argument and what is wrong with it.

    Example:
        >>> import sirenlib
        >>> import torch
        >>> coords = sirenlib.coordinate_grid(2, 3)
        >>> signal = sirenlib.Signal(coords, torch.zeros(6, 1), (2, 3))
        >>> signal.is_grid, signal.array().shape
        (True, (2, 3))
    """

    coords: Tensor
    values: Tensor
    shape: tuple[int, ...]
    value_range: tuple[float, float] = (-1.0, 1.0)
    weights: Tensor | None = None

    def __post_init__(self):
        for name in ("coords", "values"):
            _require_finite_table(name, getattr(self, name))
        shape = tuple(whole_number("every length in shape", n, 1) for n in self.shape)
        low, high = (float(edge) for edge in self.value_range)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "value_range", (low, high))
        if len(self.coords) != len(self.values):
            raise ValueError(
                f"coords has {len(self.coords)} rows and values has "
                f"{len(self.values)}: give one value to each coordinate"
            )
        if math.prod(self.shape) != len(self.coords):
            raise ValueError(
                f"shape {tuple(self.shape)} has {math.prod(self.shape)} points, "
                f"coords has {len(self.coords)}: the product must be the number of rows"
            )
        if not (low < high and math.isfinite(high - low)):
            raise ValueError(
                f"value_range ({low}, {high}) must be two finite numbers, low first"
            )
        if self.values.min() < low or self.values.max() > high:
            raise ValueError(
                f"values go from {self.values.min():.4g} to {self.values.max():.4g}, "
                f"outside value_range {self.value_range}: scale them or widen the range"
            )
        if self.weights is not None:
            _require_weights(self.weights, self.values)

    @property
    def data_range(self) -> float:
        """The peak that the PSNR refers to, high minus low."""
        return self.value_range[1] - self.value_range[0]

    @property
    def total_weight(self) -> float:
        """The sum of the weights; the number of the values where there are none."""
        if self.weights is None:
            return float(self.values.numel())
        weights = self.weights.detach().expand_as(self.values)
        return float(weights.sum(dtype=torch.float64))

    @property
    def is_grid(self) -> bool:
        """Whether the points are an even grid with the axes of ``shape``, row by row,
        two points or more along each."""
        return min(self.shape) > 1 and self._is_even()

    def corners(self) -> tuple[tuple[float, float], ...]:
        """The first and the last coordinate of each axis of a grid; the smallest and
        the largest of each column where there is no grid."""
        if self._is_even():
            return self._ends()
        low, high = self.coords.aminmax(dim=0)
        return tuple(zip(low.tolist(), high.tolist(), strict=True))

    def _ends(self) -> tuple[tuple[float, float], ...]:
        first, last = self.coords[0].tolist(), self.coords[-1].tolist()
        return tuple(zip(first, last, strict=True))

    def _is_even(self) -> bool:
        """Whether each point lies within a hundredth of a step from its grid's."""
        if len(self.shape) != self.coords.shape[1]:
            return False
        epsilon = torch.finfo(self.coords.dtype).eps
        for i, (first, last) in enumerate(self._ends()):
            count = self.shape[i]
            step = abs(last - first) / max(1, count - 1)
            rounding = 2 * epsilon * max(abs(first), abs(last))
            allowed = min(0.01 * step + rounding, 0.5 * step) if count > 1 else rounding
            line = torch.linspace(first, last, count, dtype=torch.float64)
            column = self.coords[:, i].detach().reshape(1, *self.shape)
            others = [axis for axis in range(column.ndim) if axis != i + 1]
            extremes = torch.stack([column.amin(others), column.amax(others)]).cpu()
            distance = float((extremes - line).abs().max())
            if distance > allowed or (count > 1 and step == 0):
                return False
        return True

    def array(self) -> np.ndarray:
        """The values on their grid: ``shape``, and ``shape + (c,)`` for c > 1."""
        channels = self.values.shape[1]
        shape = self.shape if channels == 1 else (*self.shape, channels)
        values = self.values.detach().cpu()
        if values.dtype == torch.bfloat16:  # NumPy has none
            values = values.float()
        return values.numpy().reshape(shape)

    def subset(self, rows: Tensor) -> "Signal":
        """The samples of those rows, by a mask ``(N,)`` or by their numbers, as
        scattered points: the way to leave out missing ones."""
        coords, values, weights = self._each(lambda table: table[rows])
        return Signal(coords, values, (len(coords),), self.value_range, weights)

    def to(self, device: torch.device | str) -> "Signal":
        """The same numbers on another device, without a graph behind them."""
        coords, values, weights = self._each(lambda table: table.detach().to(device))
        return Signal(coords, values, self.shape, self.value_range, weights)

    def _each(self, change: Callable[[Tensor], Tensor]) -> list[Tensor | None]:
        """Coordinates, values and weights, each of them changed, if it is there."""
        tables = self.coords, self.values, self.weights
        return [None if table is None else change(table) for table in tables]


def _require_finite_table(name: str, table: Tensor) -> None:
    if not isinstance(table, Tensor) or not table.is_floating_point():
        kind = getattr(table, "dtype", type(table).__name__)
        raise ValueError(f"{name} must be a floating-point tensor, not {kind}")
    if table.ndim != 2 or table.numel() == 0:
        raise ValueError(
            f"{name} must have shape (N, channels) and N > 0, not {tuple(table.shape)}"
        )
    extremes = torch.stack(table.aminmax())  # NaN spreads to both, without a copy
    if not extremes.isfinite().all():
        bad = int((~table.isfinite()).sum())
        raise ValueError(f"{name} holds {bad} NaN or infinite entries: remove them")


def _require_weights(weights: Tensor, values: Tensor) -> None:
    _require_finite_table("weights", weights)
    if weights.shape not in ((len(values), 1), values.shape):
        raise ValueError(
            f"weights has shape {tuple(weights.shape)}: give one a row, "
            f"{(len(values), 1)}, or one a value, {tuple(values.shape)}"
        )
    if weights.min() < 0 or weights.max() == 0:
        raise ValueError(
            f"weights go from {weights.min():.4g} to {weights.max():.4g}: none may be "
            "negative, and one must be positive"
        )


def array_signal(
    values: np.ndarray | Tensor, *, value_range: tuple[float, float] | None = None
) -> Signal:
    """An array with d axes as a signal of one channel on the grid ``[-1, 1]^d``.

    A sound has one axis, a picture two, a volume three. (`image_signal` reads colors
    and files.)

    Args:
        values: real numbers, two or more along each axis.
        value_range: as in `Signal`. None is the smallest one that is symmetric about 0,
            which is where a network begins.

    Raises:
        ValueError: values are not real numbers on a grid, or all of them are zero and
            no range is given; and as `Signal`.

    Example:
        >>> import numpy as np
        >>> import sirenlib
        >>> sound = sirenlib.array_signal(np.array([0.0, 0.5, -0.25]))
        >>> sound.coords.tolist(), sound.value_range
        ([[-1.0], [0.0], [1.0]], (-0.5, 0.5))
    """
    table = torch.as_tensor(values).detach()
    if table.is_complex() or table.dtype == torch.bool:
        raise ValueError(f"values must be real numbers, not {table.dtype}")
    shape = tuple(table.shape)
    coords = coordinate_grid(*shape).to(table.device)
    table = table.float().reshape(-1, 1)
    if value_range is None:
        largest = float(table.abs().max())
        if largest == 0:
            raise ValueError(
                "all values are zero: there is nothing to learn; if that is meant, "
                "give a value_range"
            )
        value_range = (-largest, largest)
    return Signal(coords, table, shape, value_range)


def coordinate_grid(
    *shape: int, centers: bool = False, keep_aspect: bool = False
) -> Tensor:
    """Coordinates of a grid, row by row, in ``[-1, 1]``.

    Args:
        shape: points along each axis, for example ``(height, width)``.
        centers: the centers of N cells that tile [-1, 1] instead of N points from
            -1 to 1, end to end (the paper's choice and the default).
        keep_aspect: only the longest axis spans [-1, 1] and the others less, in
            proportion. By default every axis spans [-1, 1] on its own, so that a
            pixel of a wide picture is wider than it is high.

    Returns:
        ``(prod(shape), len(shape))``, float32; column 0 is the first axis.

    Example:
        >>> import sirenlib
        >>> sirenlib.coordinate_grid(2, 3).tolist()[:4]  # the row first
        [[-1.0, -1.0], [-1.0, 0.0], [-1.0, 1.0], [1.0, -1.0]]
    """
    sizes = [whole_number(f"shape[{i}]", size, 2) for i, size in enumerate(shape)]
    if not sizes:
        raise ValueError("shape is empty: give at least one number of points")
    axes = []
    for size in sizes:
        extent = size / max(sizes) if keep_aspect else 1.0
        edge = extent * (1 - 1 / size) if centers else extent
        axes.append((-edge, edge, size))
    return grid_between(axes)


def grid_between(
    axes: list[tuple[float, float, int]], dtype: torch.dtype = torch.float32
) -> Tensor:
    """The grid with (first, last, count) for each axis: ``(points, axes)``."""
    lines = [
        torch.linspace(first, last, count, dtype=dtype) for first, last, count in axes
    ]
    return torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).flatten(0, -2)


def suggest_omega_0(signal: Signal, hidden_layers: int = 3) -> float:
    """A first omega_0 for a sine network that learns this signal.

    Two angular frequencies, in radians for each unit of the coordinates, bound it.
    Above Nyquist/(3 pi), times d, noise grows between the samples. For photographs
    that is N/3, with N pixels along 2 units. And a fifth, times d, of the frequency
    below which 99.9 % of the energy lies is enough; for sound it is far less. Nothing
    that moves more slowly needs less than the authors' 30. This is for three hidden
    layers. Each widens the band, so of fewer the first may have more: 3/2 times as
    much with two, and 3 times with one or none.

    Args:
        signal: on a grid. Of scattered points only the mean distance is known, so the
            first of the two is taken. Where the axes differ, the finest one counts.
        hidden_layers: of the network, as `Siren` counts them.

    Source: chapters 11 and 13, measured.

    Example:
        >>> import sirenlib
        >>> round(sirenlib.suggest_omega_0(sirenlib.cameraman(256)))
        85
    """
    return _suggested(signal) * 3 / min(3, max(1, hidden_layers))


def _suggested(signal: Signal) -> float:
    """The first omega_0 for three hidden layers."""
    d = signal.coords.shape[1]
    if not signal.is_grid:
        lengths = [high - low for low, high in signal.corners() if high > low]
        finest = len(signal.coords) ** (1 / d) / max(lengths, default=2.0)
        return d * finest / 3
    axes = enumerate(zip(signal.shape, signal.corners(), strict=True))
    found = []
    for axis, (count, (first, last)) in axes:
        nyquist = math.pi * (count - 1) / abs(last - first)
        official = OFFICIAL * 2 / abs(last - first)  # meant for 2 units
        needed = max(official, d * _top_share(signal, axis) * nyquist / 5)
        found.append(min(d * nyquist / (3 * math.pi), needed))
    return max(found)


def _top_share(signal: Signal, axis: int) -> float:
    """The share of the Nyquist frequency below which nearly all the energy lies."""
    from scipy import fft  # imported late: only this function needs it

    values = np.moveaxis(signal.array().astype(float), axis, -1)
    power = fft.dct(values, norm="ortho", axis=-1) ** 2
    power = power.reshape(-1, power.shape[-1]).sum(axis=0)
    power[0] = 0  # the mean
    below = np.cumsum(power)
    if below[-1] == 0:  # constant along this axis
        return 1.0
    return float(np.searchsorted(below, 0.999 * below[-1]) + 1) / len(power)
