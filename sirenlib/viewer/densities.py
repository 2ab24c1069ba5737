"""Densities of what stands before and after a sine, for the live figure's picture."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from ..arguments import positive_number


def phase_density(
    z: ArrayLike, *, bias: float, q: float | None = None, weight: float | None = None
) -> np.ndarray:
    """Density of the phases ``u + b`` of a wide network, with b ~ U(±bias).

    In a hidden layer u is normal. In the first layer of a network of one coordinate it
    is w x, with w ~ U(±weight) and x ~ U(-1, 1); without biases its density is infinite
    at 0.

    Args:
        bias: half-width of omega_0 b; 0 without biases.
        q: in a hidden layer, the variance of u.
        weight: in the first layer, the half-width of omega_0 w.

    Shape:
        - z: any
        - Output: the same

    Raises:
        ValueError: q and weight are both given, or none; or a number is not positive.

    Source: chapter 7.
    """
    z = np.asarray(z, dtype=float)
    scale, density, below = _sum_law(q, weight)
    if not bias >= 0:
        raise ValueError(f"bias is a half-width: it must not be negative, not {bias!r}")
    if bias < 1e-7 * scale:  # it changes nothing, and what follows divides by it
        return density(z)
    return (below(z + bias) - below(z - bias)) / (2 * bias)


def sine_density(
    y: ArrayLike, *, bias: float, q: float | None = None, weight: float | None = None
) -> np.ndarray:
    """Density of the sines of the phases that `phase_density` describes.

    In every turn two phases have the sine y: the densities at all of them, added and
    divided by the slope ``sqrt(1 - y²)`` there. It is infinite at -1 and 1.

    Args:
        bias, q, weight: as in `phase_density`.

    Shape:
        - y: any, within (-1, 1)
        - Output: the same

    Raises:
        ValueError: as `phase_density`.

    Source: the fold of chapter 3; chapters 6 and 7.
    """
    y = np.asarray(y, dtype=float)
    scale, *_ = _sum_law(q, weight)
    # A normal value beyond 9 standard deviations is none that float64 would show.
    reach = bias + (scale if q is None else 9 * scale)
    turns = 2 * np.pi * np.arange(-math.ceil(reach / 6) - 1, math.ceil(reach / 6) + 2)
    crossing = np.arcsin(y)[..., None]
    angles = np.concatenate([crossing + turns, np.pi - crossing + turns], axis=-1)
    density = phase_density(angles, bias=bias, q=q, weight=weight)
    return density.sum(axis=-1) / np.sqrt(1 - y**2)


def _sum_law(q: float | None, weight: float | None) -> tuple[float, Callable, Callable]:
    """Scale, density and distribution function of a weighted sum."""
    if (q is None) == (weight is None):
        raise ValueError("give q for a hidden layer, or weight for the first one")
    if weight is None:
        law = stats.norm(scale=math.sqrt(positive_number("q", q)))
        return law.std(), law.pdf, law.cdf
    weight = positive_number("weight", weight)

    def density(u: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return -np.log(np.minimum(np.abs(u) / weight, 1)) / (2 * weight)

    def below(u: np.ndarray) -> np.ndarray:
        unit = np.clip(u / weight, -1, 1)
        return (1 + unit - special.xlogy(unit, np.abs(unit))) / 2

    return weight, density, below
