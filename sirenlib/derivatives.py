"""Gradient, divergence and Laplacian of a network's output.

The first functions ask autograd, for any network. `forward_laplacian` carries the
derivatives of a `Siren` through its layers, together with the value.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .siren import SineLayer, Siren, full_precision


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
    """One gradient for each output: ``(N, c, d)`` from ``(N, c)`` and ``(N, d)``."""
    return torch.stack([gradient(channel, x) for channel in y.unbind(-1)], dim=-2)


def divergence(y: Tensor, x: Tensor) -> Tensor:
    """Sum of the derivatives of ``y[:, i]`` with respect to ``x[:, i]``.

    Shape:
        - y, x: ``(N, d)``
        - Output: ``(N, 1)``

    Raises:
        ValueError: the shapes differ, or autograd has no way from y back to x.
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
    """
    slope = gradient(y, x)
    total = torch.zeros_like(x[..., :1])
    if slope.requires_grad:
        for i in range(x.shape[-1]):
            second = _gradient(slope[..., i], x)
            if second is not None:  # None where the slope is constant
                total = total + second[..., i : i + 1]
    return total


def forward_laplacian(model: Siren, coords: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value, Jacobian and Laplacian of a sine network in one forward pass.

    Each layer takes the three to the next: ``z, J, L`` inside a sine become ``sin z``,
    ``cos z J`` and ``cos z L - sin z |J|²``, and a linear map is applied to all three.
    They stay in the graph: a loss on them needs one ordinary backward pass, also under
    ``torch.compile``. Everything is computed in the precision of the weights,
    outside of autocast.

    Shape:
        - coords: ``(N, d)``
        - Output: ``(N, c)``, ``(N, c, d)`` and ``(N, c)``, one Laplacian an output

    Raises:
        ValueError: the model is not a `Siren`, or coords are not ``(N, d)``.

    Source: chapter 9; known as the forward Laplacian (Li et al. 2024).
    """
    _require_siren(model, coords)
    first, *layers = model.net
    value = first.phase(coords)[None]  # (1, N, n), and so are the others
    slopes = (first.omega_0 * first.linear.weight.T)[:, None]  # (d, 1, n)
    slopes = slopes.expand(-1, *value.shape[1:])  # (d, N, n)
    value, slopes, curvature = _through_sine(value, slopes, torch.zeros_like(value))
    with full_precision(coords.device):
        for layer in layers:
            sine = isinstance(layer, SineLayer)
            linear, factor = (layer.linear, layer.omega_0) if sine else (layer, 1.0)
            state = torch.cat([value, slopes, curvature])  # (d + 2, N, n)
            state = F.linear(state, factor * linear.weight)
            value, slopes, curvature = state.split([1, len(slopes), 1])
            value = value + factor * linear.bias
            if sine:
                value, slopes, curvature = _through_sine(value, slopes, curvature)
    return value[0], slopes.movedim(0, -1), curvature[0]


def _through_sine(z: Tensor, slopes: Tensor, curvature: Tensor) -> tuple[Tensor, ...]:
    sine, cosine = z.sin(), z.cos()
    bent = slopes.square().sum(0, keepdim=True)
    return sine, cosine * slopes, cosine * curvature - sine * bent


def _require_siren(model: nn.Module, coords: Tensor) -> None:
    if not isinstance(model, Siren):
        raise ValueError(
            f"forward_laplacian() takes a Siren, not {type(model).__name__}: use "
            "gradient and laplace for other networks"
        )
    if coords.ndim != 2 or coords.shape[1] != model.in_features:
        raise ValueError(
            f"coords have shape {tuple(coords.shape)}: they must be "
            f"(N, {model.in_features}) for this network"
        )
