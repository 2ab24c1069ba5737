"""The map of the variance from layer to layer, to play with."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .. import figures
from ..theory import (
    ROOT_SIX,
    fixed_point,
    gradient_factor,
    next_variance,
    uniform_bias_factor,
)
from .frame import LiveOutput, figure_png

MOST, LAYERS = 2.6, 20
BIASES = {"none": 0.0, "official": 30 / 16, "half a turn": math.pi / 2}


def explore_cobweb(
    start: float = 0.1, c: float = ROOT_SIX, *, biases: str = "none", alt: str
) -> LiveOutput:
    """The variance of the weighted sums in 20 layers, as a cobweb, in a page.

    The reader moves the variance in the second layer and the scale of the hidden
    weights, U(±c/√n), and chooses the biases. Beside the map stand the variance and
    the factor of the gradient's mean square, layer by layer.

    Args:
        start: the variance in layer 2, from 0.01 to 2.6.
        c: from 1 to √15; the page takes the nearest root of a half.
        biases: ``"none"``, ``"official"``, as at omega_0 = 30 and width 256, or
            ``"half a turn"``, uniform from -π/2 to π/2.
        alt: what the picture shows, in a sentence.

    Raises:
        ValueError: an argument is out of its range.

    Source: chapters 6 and 7.
    """
    for name, number, low, high in (
        ("start", start, 0.01, MOST),
        ("c", c, 1, math.sqrt(15)),
    ):
        if not low <= number <= high:
            raise ValueError(
                f"{name} must be between {low:g} and {high:g}, not {number}"
            )
    if biases not in BIASES:
        raise ValueError(f"biases must be one of {', '.join(BIASES)}, not {biases!r}")
    c = math.sqrt(round(2 * c**2) / 2)
    spec = {"start": float(start), "c": float(c), "biases": list(BIASES).index(biases)}
    return LiveOutput("explore_cobweb", spec, _picture(start, c, biases), alt)


def _picture(start: float, c: float, biases: str) -> bytes:
    """The same view as a PNG file."""
    s = float(uniform_bias_factor(BIASES[biases]))
    variances = [start]
    while len(variances) < LAYERS:
        variances.append(float(next_variance(variances[-1], s, c)))
    edge = MOST if max(start, 1.04 * c**2 / 6) > MOST / 2 else MOST / 2
    places, settled = np.linspace(0, edge, 200), fixed_point(s, c)
    with plt.style.context(figures.STYLE):
        figure = Figure(figsize=(7.2, 3.2), dpi=100)
        left, right = figure.subplots(1, 2)
        left.plot([0, edge], [0, edge], color="0.4", ls="--", lw=1.2)
        left.plot(*figures.staircase(variances), color=figures.MEASURED)
        left.plot(places, next_variance(places, s, c), color=figures.PREDICTED)
        left.plot(settled, settled, "ko", ms=5)
        left.set(xlabel="variance in a layer", ylabel="in the next layer")
        left.set(xlim=(0, edge), ylim=(0, edge))
        layers = np.arange(2, LAYERS + 2)
        right.axhline(settled, color="0.4", ls="--", lw=1.2)
        right.plot(layers, variances, color=figures.MEASURED)
        factors = [gradient_factor(q, s, c) for q in variances]
        right.plot(layers, factors, color=figures.THIRD)
        right.text(layers[-1], factors[-1] + 0.05, "χ", color=figures.THIRD)
        right.set(xlabel="layer", xticks=[2, 5, 10, 15, 20], ylim=(0, MOST))
        return figure_png(figure)
