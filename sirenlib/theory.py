"""Closed forms for sine networks at their start. NumPy and SciPy, float64.

The letters are the book's. A phase ``z = u + b`` stands inside a sine: ``u`` is the
weighted sum of the layer before, ``b`` the bias, both with omega_0 multiplied in. The
weights are ``U(±c/sqrt(n))``, with ``c = sqrt(6)`` in the official start. In a wide
network ``u`` is normal with variance ``q``. Of the bias, whose law is symmetric around
zero, one number enters: ``s = E cos(2 b)``, which is 1 without biases,
`uniform_bias_factor` for uniform ones, and ``exp(-2 var)`` for normal ones.

Functions of q, of a covariance or of places take numbers or arrays.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from .arguments import positive_number

# The arcsine law on [-1, 1], with .pdf, .cdf, .ppf, .rvs, ... (chapter 5).
ARCSINE = stats.arcsine(loc=-1, scale=2)
ROOT_SIX = math.sqrt(6)


def sine_of_uniform_cdf(y: ArrayLike, a: float, b: float = 0.0) -> np.ndarray:
    """Distribution function of ``sin(a X + b)`` for X ~ U(-1, 1).

    Exact but for the rounding of angles, which is worth about 4e-16 (1 + abs(b))/a.

    Raises:
        ValueError: a is not a positive number.

    Source: chapter 5, the fold of chapter 3.
    """
    a = positive_number("a", a)
    crossing = np.arcsin(np.clip(y, -1, 1))
    # In each turn the sine is below y on an arc that begins at pi - crossing.
    arc = np.pi + 2 * crossing

    def length_below(angle):
        turns, rest = np.divmod(angle - (np.pi - crossing), 2 * np.pi)
        return turns * arc + np.minimum(rest, arc)

    share = (length_below(b + a) - length_below(b - a)) / (2 * a)
    return np.clip(share, 0, 1)


def sine_of_uniform_bound(a: float) -> float:
    """pi/(4a): sin(aX + b) is never farther than this from the arcsine law (KS).

    Raises:
        ValueError: a is not a positive number.

    Source: chapter 5.
    """
    return math.pi / (4 * positive_number("a", a))


def sine_of_normal_cdf(y: ArrayLike, s: float) -> np.ndarray:
    """Distribution function of ``sin(s Z)`` for standard normal Z, exact.

    The arcsine law plus a series; its first term exp(-2 s²)/pi is the distance. It is
    summed to float64, in about 4.3/s terms.

    Raises:
        ValueError: s is not a positive number.

    Source: chapter 6, a wrapped normal law, folded.
    """
    s = positive_number("s", s)
    m = np.arange(1, math.ceil(4.3 / s) + 1)
    twice = 2 * np.arcsin(np.clip(y, -1, 1))
    waves = np.sin(np.multiply.outer(twice, m))
    return ARCSINE.cdf(y) + waves @ (np.exp(-2 * (m * s) ** 2) / m) / np.pi


def uniform_bias_factor(half_width: ArrayLike) -> np.ndarray:
    """``s = E cos(2 b)`` for b ~ U(±half_width): sin(2 b)/(2 b) at the half-width.

    Not ``numpy.sinc`` of it, which has a factor pi inside.

    Source: chapter 7.
    """
    return _sinc(2 * np.asarray(half_width, dtype=float))


def sine_covariance(
    q: ArrayLike, r: ArrayLike, covariance: ArrayLike, s: float = 1.0
) -> np.ndarray:
    """``E sin(u + b) sin(u' + b)`` for jointly normal u, u' of variances q and r.

    With all three equal it is the mean square of one sine, (1 - s exp(-2q))/2.

    Raises:
        ValueError: a variance is negative, or s is outside [-1, 1].

    Source: chapters 6 and 7.
    """
    q, r, covariance = (np.asarray(a, dtype=float) for a in (q, r, covariance))
    _require_factor(s)
    if (q < 0).any() or (r < 0).any():
        raise ValueError("q and r are variances: they must not be negative")
    mean = (q + r) / 2
    return (np.exp(covariance - mean) - s * np.exp(-covariance - mean)) / 2


def next_variance(q: ArrayLike, s: float = 1.0, c: float = ROOT_SIX) -> np.ndarray:
    """The variance of u one layer on: ``c²/6 (1 - s exp(-2q))``.

    Raises:
        ValueError: q is negative, s is outside [-1, 1], or c is not positive.

    Source: chapter 6 without biases, chapter 7 with them.
    """
    return _gain(c) * 2 * sine_covariance(q, q, q, s)


def gradient_factor(q: ArrayLike, s: float = 1.0, c: float = ROOT_SIX) -> np.ndarray:
    """chi, by which the gradient's variance grows one layer back.

    It is ``c²/6 (1 + s exp(-2q))``: with the official weights, 2 less the next q.

    Raises:
        ValueError: as `next_variance`.

    Source: chapters 6 and 7.
    """
    return _gain(c) * 2 * (1 - sine_covariance(q, q, q, s))


def fixed_point(s: float = 1.0, c: float = ROOT_SIX) -> float:
    """The q that `next_variance` leaves unchanged and that deep layers tend to.

    In closed form ``g + W(-2 g s exp(-2 g))/2`` with g = c²/6 and W the principal
    branch of Lambert's function. Without biases it is 0 for c² up to 3.

    Raises:
        ValueError: s is outside [-1, 1], or c is not positive.

    Source: chapters 6 and 7.
    """
    g = _gain(c)
    _require_factor(s)
    q = g + special.lambertw(-2 * g * s * math.exp(-2 * g)).real / 2
    return max(0.0, q)  # where it is 0, rounding may leave it below


def first_sine_covariance(
    x: ArrayLike, y: ArrayLike, weight: float, s: float = 1.0
) -> np.ndarray:
    """``E sin(z(x)) sin(z(y))`` in the first layer, exact at any width.

    Args:
        x, y: coordinates, ``(..., d)``.
        weight: half-width of omega_0 W in that layer; officially omega_0/d.
        s: that layer's own bias factor.

    Shape:
        - Output: ``(...)``, after broadcasting of x and y.

    Raises:
        ValueError: weight is not positive, or s is outside [-1, 1].

    Source: chapters 6 and 7.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    weight = positive_number("weight", weight)
    _require_factor(s)
    apart = _sinc(weight * (x - y)).prod(axis=-1)
    return (apart - s * _sinc(weight * (x + y)).prod(axis=-1)) / 2


@dataclass(frozen=True)
class LayerLaw:
    """The wide-network law of one layer, over networks and the given coordinates.

    Args:
        variance: of the phases, over everything.
        between: of one neuron's mean over the coordinates, from neuron to neuron.
        sine_variance: mean square of the sines; in a last, linear layer of such sines
            as would follow it.
        gradient: squared norm of a gradient with respect to all phases of the layer,
            where it is 1 with respect to those of the last layer listed.
    """

    variance: float
    between: float
    sine_variance: float
    gradient: float

    @property
    def within(self) -> float:
        """Variance of one neuron over the coordinates, around its own mean."""
        return self.variance - self.between


def network_law(
    coords: ArrayLike, layers: Sequence[tuple[int, tuple[float, float]]]
) -> list[LayerLaw]:
    """The law of every layer of a network with independent uniform weights and biases.

    The first layer is exact, the others are exact as the width grows; chapter 7
    measures how far a finite width is away. All N² pairs of coordinates are used.

    Args:
        coords: ``(N, d)``.
        layers: for each layer its fan-in and the half-widths of omega_0 W and
            omega_0 b, as `sirenlib.initialization.phase_bounds` lists them.

    Raises:
        ValueError: coords do not fit the first layer, or there is no layer.

    Source: chapter 7.
    """
    coords = np.asarray(coords, dtype=float)
    if coords.ndim != 2 or len(layers) == 0 or coords.shape[1] != layers[0][0]:
        raise ValueError(
            f"coords has shape {coords.shape}: it must be (N, d), with d the fan-in "
            "of the first layer"
        )
    sines, forward, chis = None, [], []
    for fan_in, (weight, bias) in layers:
        gain, s = fan_in * weight**2 / 3, float(uniform_bias_factor(bias))
        if sines is None:
            covariance = weight**2 / 3 * coords @ coords.T  # (N, d) -> (N, N)
            sines = first_sine_covariance(coords[:, None], coords, weight, s)  # (N, N)
        else:
            covariance = gain * sines
            chis.append(gain * (1 - sines.diagonal()))  # (N,), and so is q
            q = covariance.diagonal()
            sines = sine_covariance(q[:, None], q, covariance, s)
        phases = covariance + bias**2 / 3
        forward.append([phases.diagonal(), phases, sines.diagonal()])
    # Back from the last layer, where the gradient at every coordinate has norm 1.
    gradients = np.cumprod([np.ones(len(coords)), *reversed(chis)], axis=0)[::-1]
    return [
        LayerLaw(*(float(np.mean(values)) for values in [*layer, gradient]))
        for layer, gradient in zip(forward, gradients, strict=True)
    ]


def derivative_variances(
    layers: Sequence[tuple[int, tuple[float, float]]],
) -> list[tuple[float, float]]:
    """How large derivatives are before training: mean squares, layer by layer.

    For each layer the pair of those of the first and of the second derivative of a
    phase (of the output, in a last linear layer) by one coordinate. For wide networks
    and away from the origin, where the first layer's phases fill whole turns.

    Args:
        layers: as in `network_law`.

    Source: chapter 9.
    """
    (_, (weight, _)), *rest = layers
    first, fourth, second = weight**2 / 3, weight**4 / 5, 0.0
    found, sine = [(first, second)], 0.5
    for fan_in, (weight, bias) in rest:
        gain = fan_in * weight**2 / 3
        second = gain * (sine * fourth + (1 - sine) * second)
        first = gain * (1 - sine) * first
        fourth = 3 * first**2
        q, s = gain * sine, float(uniform_bias_factor(bias))
        sine = float(sine_covariance(q, q, q, s))
        found.append((first, second))
    return found


def _gain(c: float) -> float:
    """c²/6: half of what a layer multiplies a mean square by; 1 officially."""
    return positive_number("c", c) ** 2 / 6


def _sinc(t: np.ndarray) -> np.ndarray:
    return np.sinc(t / np.pi)  # NumPy's sinc(t) is sin(pi t)/(pi t)


def _require_factor(s: float) -> None:
    if not -1 <= s <= 1:
        raise ValueError(f"s is a mean cosine: it must be in [-1, 1], not {s!r}")
