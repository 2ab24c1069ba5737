"""A network at many points, some thousand at a time, in bounded memory.

The network is asked on its own device, in its own precision, and in evaluation mode:
without dropout, and with the statistics that batch normalization has learned.
"""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from .arguments import whole_number
from .derivatives import forward_laplacian, gradient, laplace
from .metrics import psnr_from_mse
from .quilt import Quilt
from .signals import LARGEST, Signal
from .siren import Siren, full_precision
from .tiling import Window

PROBES = 16


def chunk_on(device: torch.device) -> int:
    """Points that are computed at a time: what a CPU's caches hold, more on a GPU."""
    return 4096 if device.type == "cpu" else 2**18


def chunk_of(model: nn.Module) -> int:
    """The same for a model; the tiles of a `Quilt` share more points among them."""
    chunk = chunk_on(place_of(model)[0])
    return max(chunk, 2**15) if isinstance(model, Quilt) else chunk


def place_of(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """The device of a model, and the type of coordinates that it takes."""
    weight = next(model.parameters(), torch.empty(0))  # a formula has no weights
    dtype = weight.dtype if weight.is_floating_point() else torch.float32
    return weight.device, dtype


def in_chunks(
    function: Callable[[Tensor], tuple[Tensor, ...]],
    model: nn.Module,
    coords: Tensor,
) -> Iterator[tuple[slice, tuple[Tensor, ...]]]:
    """What the function gives for some thousand coordinates at a time, and which.

    Args:
        function: asks the model, whose place the coordinates are moved to.
        coords: ``(N, d)``, anywhere.
    """
    device, dtype = place_of(model)
    for start in range(0, max(1, len(coords)), chunk_of(model)):
        rows = slice(start, start + chunk_of(model))
        with evaluating(model):
            parts = function(coords[rows].detach().to(device, dtype))
        yield rows, parts


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and no autocast, whose cache may hold weights of the past.

    Each part of the model is put back into the mode that it had.
    """
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        with full_precision(place_of(model)[0]):
            yield
    finally:
        for part in training:
            part.training = True


@torch.no_grad()
def values_at(model: nn.Module, coords: Tensor) -> Tensor:
    """The values alone at many points, without graph.

    Shape:
        - coords: ``(N, d)``, on any device
        - Output: ``(N, c)`` on the device of coords, at least in float32
    """
    return _joined(lambda x: (model(x),), model, coords)[0]


def _joined(function: Callable, model: nn.Module, coords: Tensor) -> tuple[Tensor, ...]:
    """The parts that `in_chunks` gives, each in one tensor where the coordinates lie.

    In place: results kept from chunk to chunk would break up the memory.
    """
    whole = None
    for rows, parts in in_chunks(function, model, coords):
        whole = whole or [_room_for(part, len(coords), coords.device) for part in parts]
        for field, part in zip(whole, parts, strict=True):
            field[rows] = part.detach()
    return tuple(whole)


def _room_for(part: Tensor, points: int, device: torch.device) -> Tensor:
    dtype = torch.promote_types(part.dtype, torch.float32)
    return torch.empty(points, *part.shape[1:], dtype=dtype, device=device)


def sampled(model: nn.Module, coords: Tensor) -> Tensor:
    """The model at up to 16 of the coordinates, by which `alike` knows it again.

    Shape:
        - coords: ``(N, d)``, anywhere
        - Output: float64, on the CPU
    """
    stride = max(1, len(coords) // PROBES)
    return values_at(model, coords[::stride][:PROBES]).double().cpu()


def alike(found: Tensor, expected: Tensor) -> bool:
    """Whether two `sampled` networks are one, roundings of another device aside."""
    size = float(expected.nan_to_num().abs().max())
    return found.allclose(expected, rtol=0, atol=1e-2 * size + 1e-9, equal_nan=True)


def evaluate(model: nn.Module, coords: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value, gradient and Laplacian at many points.

    A `Siren` or a `Quilt` is evaluated by `forward_laplacian`, any other network by
    autograd. With several outputs the gradient and the Laplacian are those of their
    mean.

    Shape:
        - coords: ``(N, d)``, on any device
        - Output: ``(N, c)``, ``(N, d)`` and ``(N, 1)`` on the device of coords, without
          graph, at least in float32

    Raises:
        ValueError: coords do not fit the network.

    Example:
        >>> import sirenlib
        >>> import torch
        >>> model, coords = sirenlib.Siren(2, 16, 1, 3), torch.zeros(5, 2)
        >>> [tuple(each.shape) for each in sirenlib.evaluate(model, coords)]
        [(5, 3), (5, 2), (5, 1)]
    """

    def all_three(x: Tensor) -> tuple[Tensor, ...]:
        if isinstance(model, Siren | Quilt):
            with torch.no_grad():
                value, slopes, curvature = forward_laplacian(model, x)
            return value, slopes.mean(1), curvature.mean(-1, keepdim=True)
        with torch.inference_mode(False), torch.enable_grad():
            x = x.clone().requires_grad_()
            value = model(x)
            mean = value.mean(-1, keepdim=True)
            return value, gradient(mean, x), laplace(mean, x)

    return _joined(all_three, model, coords)


@torch.no_grad()
def signal_psnr(model: nn.Module, signal: Signal) -> float:
    """PSNR of the network on a whole signal, in decibels, by the signal's weights.

    Example:
        >>> import sirenlib
        >>> import torch
        >>> coords = sirenlib.coordinate_grid(5)
        >>> signal = sirenlib.Signal(coords, -coords, (5,))
        >>> same = torch.nn.Identity()  # each error is 2 x, and their mean square is 2
        >>> round(sirenlib.signal_psnr(same, signal), 2)  # 10 log10(2² / 2)
        3.01
    """
    error = 0.0
    for rows, (prediction,) in in_chunks(lambda x: (model(x),), model, signal.coords):
        target, weights = signal.values[rows], signal.weights
        weights = None if weights is None else weights[rows].to(prediction.device)
        squares = squared_errors(prediction, target.to(prediction.device), weights)
        error += squares.sum(dtype=torch.float64)  # one number, on the device
    return psnr_from_mse(float(error) / signal.total_weight, signal.data_range)


def squared_errors(prediction: Tensor, target: Tensor, weights: Tensor | None):
    """``(N, c)``: the squared error of each value, times its weight if there is one."""
    dtype = torch.promote_types(target.dtype, torch.float32)
    squares = (prediction.to(dtype) - target).square()
    return squares if weights is None else squares * weights


def render(
    model: nn.Module,
    height: int,
    width: int,
    window: Window = ((-1.0, 1.0), (-1.0, 1.0)),
) -> Tensor:
    """Evaluate a network of two coordinates on a grid of any size.

    Args:
        window: first and last coordinate of the rows, then of the columns. Smaller
            than ((-1, 1), (-1, 1)) it zooms in.

    Returns:
        ``(height, width, c)`` on the CPU, at least in float32, as the network gives
        it: not clipped.

    Raises:
        ValueError: height or width is no whole number from 1 to 65,535.

    Example:
        >>> import sirenlib
        >>> tuple(sirenlib.render(sirenlib.Siren(2, 16, 1, 3), 4, 6).shape)
        (4, 6, 3)
    """
    whole = None
    for rows, part in rendered_rows(model, height, width, window):
        if whole is None:
            whole = part.new_empty(height, *part.shape[1:])
        whole[rows] = part
    return whole


def rendered_rows(
    model: nn.Module, height: int, width: int, window: Window
) -> Iterator[tuple[slice, Tensor]]:
    """The same some rows at a time, for who does not want the whole in memory."""
    for name, side in (("height", height), ("width", width)):
        if whole_number(name, side, 1) > LARGEST:
            raise ValueError(f"{name} must be at most {LARGEST}, not {side}")
    dtype = torch.promote_types(place_of(model)[1], torch.float32)
    down, right = (
        torch.linspace(first, last, count, dtype=dtype, device="cpu")
        for (first, last), count in zip(window, (height, width), strict=True)
    )
    step = max(1, chunk_of(model) // width)
    for first in range(0, height, step):
        rows = slice(first, min(first + step, height))
        coords = torch.cartesian_prod(down[rows], right)  # (rows * width, 2)
        values = values_at(model, coords)
        yield rows, values.reshape(-1, width, values.shape[-1])
