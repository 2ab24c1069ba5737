"""Gradient, divergence and Laplacian of a network's output by autograd."""

import torch
from torch import Tensor, nn


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


def evaluate(
    model: nn.Module, coords: Tensor, chunk_size: int = 4096
) -> tuple[Tensor, Tensor, Tensor]:
    """Value, gradient and Laplacian at many points, in chunks of bounded memory.

    With several outputs the gradient and the Laplacian are those of their mean.

    Shape:
        - coords: ``(N, d)``
        - Output: ``(N, c)``, ``(N, d)`` and ``(N, 1)``, without graph
    """
    parts = []
    for x in coords.detach().split(chunk_size):
        x = x.clone().requires_grad_()
        y = model(x)
        mean = y.mean(-1, keepdim=True)
        parts.append([t.detach() for t in (y, gradient(mean, x), laplace(mean, x))])
    value, slope, curvature = (torch.cat(column) for column in zip(*parts, strict=True))
    return value, slope, curvature
