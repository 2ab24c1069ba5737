"""Gradient, divergence and Laplacian of a network's output.

The first functions ask autograd, for any network. `forward_laplacian` carries the
derivatives of a `Siren` or a `Quilt` through its layers, together with the value.
"""

import torch
from torch import Tensor, nn

from .quilt import Quilt, TiledLinear
from .siren import Siren, full_precision


def gradient(y: Tensor, x: Tensor) -> Tensor:
    """Gradient of ``y``, summed over its outputs, with respect to ``x``.

    It stays in the graph, so it can be differentiated again and trained through.

    Shape:
        - y: ``(N, c)``, computed from x; row i depends on row i of x alone
        - x: ``(N, d)``, with ``requires_grad``
        - Output: ``(N, d)``

    Raises:
        ValueError: autograd has no way from y back to x.

    Source: vsitzmann/siren, ``explore_siren.ipynb``.

    Example:
        >>> import sirenlib
        >>> import torch
        >>> x = torch.tensor([[1.0], [2.0]], requires_grad=True)
        >>> sirenlib.gradient(x**2, x).tolist()
        [[2.0], [4.0]]
    """
    if not x.requires_grad:
        raise ValueError(
            "x does not ask for gradients: call x.requires_grad_() before the network"
        )
    if not y.requires_grad:
        raise ValueError(
            "y was not computed from x under autograd: call the network again, outside "
            "of torch.no_grad() and after x.requires_grad_()"
        )
    slope = _gradient(y, x)
    if slope is None:
        raise ValueError(
            "y was not computed from x: call the network again, on x itself and not on "
            "a copy, after x.requires_grad_()"
        )
    return slope


def jacobian(y: Tensor, x: Tensor) -> Tensor:
    """One gradient for each output: ``(N, c, d)`` from ``(N, c)`` and ``(N, d)``.

    Example:
        >>> import sirenlib
        >>> import torch
        >>> x = torch.tensor([[2.0, 3.0]], requires_grad=True)
        >>> y = torch.stack([x[:, 0] + x[:, 1], x[:, 0] * x[:, 1]], -1)
        >>> sirenlib.jacobian(y, x).tolist()
        [[[1.0, 1.0], [3.0, 2.0]]]
    """
    return torch.stack([gradient(channel, x) for channel in y.unbind(-1)], dim=-2)


def divergence(y: Tensor, x: Tensor) -> Tensor:
    """Sum of the derivatives of ``y[:, i]`` with respect to ``x[:, i]``.

    Shape:
        - y, x: ``(N, d)``
        - Output: ``(N, 1)``

    Raises:
        ValueError: the shapes differ, or autograd has no way from y back to x.

    Example:
        >>> import sirenlib
        >>> import torch
        >>> x = torch.tensor([[1.0, 2.0]], requires_grad=True)
        >>> sirenlib.divergence(x**2, x).tolist()  # 2 x_0 + 2 x_1
        [[6.0]]
    """
    if y.shape != x.shape:
        raise ValueError(
            f"y has shape {tuple(y.shape)} and x {tuple(x.shape)}: a divergence needs "
            "one component of y for each coordinate"
        )
    terms = [gradient(y[..., i], x)[..., i : i + 1] for i in range(x.shape[-1])]
    return sum(terms)


def _gradient(y: Tensor, x: Tensor) -> Tensor | None:
    """The gradient, or None where autograd finds no way from y back to x."""
    return torch.autograd.grad(
        y, x, torch.ones_like(y), create_graph=True, allow_unused=True
    )[0]


def laplace(y: Tensor, x: Tensor) -> Tensor:
    """Sum of the second derivatives of ``y``, summed over its outputs: ``(N, 1)``.

    Where y is a straight line of x, as inside the pieces of a ReLU network, it is zero.

    Example:
        >>> import sirenlib
        >>> import torch
        >>> x = torch.tensor([[1.0, 2.0]], requires_grad=True)
        >>> y = (x**2).sum(-1, keepdim=True)
        >>> sirenlib.laplace(y, x).tolist()  # 2 + 2
        [[4.0]]
    """
    slope = gradient(y, x)
    total = torch.zeros_like(x[..., :1])
    if slope.requires_grad:
        for i in range(x.shape[-1]):
            second = _gradient(slope[..., i], x)
            if second is not None:  # None where the slope is constant
                total = total + second[..., i : i + 1]
    return total


def forward_laplacian(
    model: Siren | Quilt, coords: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Value, Jacobian and Laplacian of a sine network in one forward pass.

    Each layer takes the three to the next: ``z, J, L`` inside a sine become ``sin z``,
    ``cos z J`` and ``cos z L - sin z |J|²``, and a linear map is applied to all three.
    The tiles of a `Quilt` are blended by the product rule.
    They stay in the graph: a loss on them needs one ordinary backward pass, also under
    ``torch.compile``. Everything is computed in the precision of the weights,
    outside of autocast.

    Shape:
        - coords: ``(N, d)``
        - Output: ``(N, c)``, ``(N, c, d)`` and ``(N, c)``, one Laplacian an output

    Raises:
        ValueError: the model is no `Siren` and no `Quilt`, or coords are not
            ``(N, d)``.

    Source: chapters 10 and 13; known as the forward Laplacian (Li et al. 2024).

    Example:
        >>> import sirenlib
        >>> import torch
        >>> model, coords = sirenlib.Siren(2, 16, 1, 3), torch.zeros(5, 2)
        >>> [tuple(each.shape) for each in sirenlib.forward_laplacian(model, coords)]
        [(5, 3), (5, 3, 2), (5, 3)]
    """
    _require_sines(model, coords)
    with full_precision(coords.device):
        if isinstance(model, Quilt):
            return _blended(model, coords)
        first, *layers = model.net
        maps = [(each, *_matrix(each)) for each in layers]
        slopes = _matrix(first)[0]  # (d, n)
        value, slopes, curvature = _carried(first.phase(coords), slopes, maps)
    return value, slopes.movedim(0, -1), curvature


def _matrix(layer: nn.Module, blocks: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Weight ``(*, n, m)`` and bias of a layer, omega_0 included; * are blocks."""
    linear, factor = getattr(layer, "linear", layer), getattr(layer, "omega_0", 1.0)
    if isinstance(linear, TiledLinear):
        weight, bias = linear.of(blocks)
        return factor * weight, factor * bias[:, None]
    return factor * linear.weight.T, factor * linear.bias


def _blended(model: Quilt, coords: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same for a quilt: with shares w and tiles f, whose shares sum to one,
    ``sum w f``, ``sum w grad f + f grad w`` and
    ``sum w lap f + 2 grad w . grad f + f lap w``."""
    places = model.places(coords, derivatives=True)
    table = model.tiling.table(places)
    first, *layers = model.net
    maps = [(each, *_matrix(each, table.blocks)) for each in layers]
    scale = model.tiling.scale(model.dtype, coords.device)
    slopes = _matrix(first, table.blocks)[0] * scale[:, None]  # (blocks, d, n)
    phase = first.phase(table.spread(places.local), table.blocks)
    value, slopes, curvature = _carried(phase, slopes, maps)
    value, curvature = table.collect(value), table.collect(curvature)  # (N, k, c)
    slopes = torch.stack([table.collect(each) for each in slopes.unbind(1)], -1)
    share, slope = places.share[..., None], places.slope[:, :, None]  # (N, k, 1, d)
    across = (slope * slopes).sum(-1)  # (N, k, c)
    bend = places.bend[..., None]
    return (
        (share * value).sum(1),
        (share[..., None] * slopes + slope * value[..., None]).sum(1),
        (share * curvature + 2 * across + bend * value).sum(1),
    )


def _carried(phase: Tensor, slopes: Tensor, maps: list) -> tuple[Tensor, ...]:
    """Value, slopes and Laplacian behind the last layer.

    Args:
        phase: ``(*, N, n)``, what stands inside the first sines.
        slopes: ``(*, d, n)``, its derivatives, the same at each point.
        maps: the other layers, each with weight ``(*, n, m)`` and bias.

    Returns:
        ``(*, N, m)``, ``(*, d, N, m)`` and ``(*, N, m)``.
    """
    value = phase.unsqueeze(-3)  # (*, 1, N, n), and the others like it
    slopes = slopes.unsqueeze(-2).expand(*slopes.shape[:-1], *phase.shape[-2:])
    state = _through_sine(value, slopes, torch.zeros_like(value))
    for layer, weight, bias in maps:
        joined = torch.cat(state, -3)  # (*, d + 2, N, n)
        rows = joined.shape[-3:-1]
        joined = (joined.flatten(-3, -2) @ weight).unflatten(-2, rows)
        value, slopes, curvature = joined.split([1, rows[0] - 2, 1], -3)
        state = value + bias, slopes, curvature
        if hasattr(layer, "omega_0"):
            state = _through_sine(*state)
    value, slopes, curvature = state
    return value.squeeze(-3), slopes, curvature.squeeze(-3)


def _through_sine(z: Tensor, slopes: Tensor, curvature: Tensor) -> tuple[Tensor, ...]:
    sine, cosine = z.sin(), z.cos()
    bent = slopes.square().sum(-3, keepdim=True)
    return sine, cosine * slopes, cosine * curvature - sine * bent


def _require_sines(model: nn.Module, coords: Tensor) -> None:
    if not isinstance(model, Siren | Quilt):
        raise ValueError(
            "forward_laplacian() takes a Siren or a Quilt, not "
            f"{type(model).__name__}: use gradient and laplace for other networks"
        )
    if coords.ndim != 2 or coords.shape[1] != model.in_features:
        raise ValueError(
            f"coords have shape {tuple(coords.shape)}: they must be "
            f"(N, {model.in_features}) for this network"
        )
