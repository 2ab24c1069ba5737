"""What stands before and after the sines of a network at its start, to play with."""

import math
from functools import partial

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from .. import figures, theory
from ..initialization import phase_bounds
from ..siren import Siren
from .densities import phase_density, sine_density
from .frame import LiveOutput, figure_png

INPUTS, NEURONS = 32, 1024
BIASES = ("official", "zero-bias", "random-phase")
LIMITS = {"width": (8, 512), "depth": (2, 12), "omega_0": (1, 60)}


def explore_activations(
    *,
    width: int = 128,
    depth: int = 5,
    omega_0: float = 30.0,
    init: str = "official",
    alt: str,
) -> LiveOutput:
    """Histograms of a network's phases and sines, in a page, and the laws on top.

    The reader moves width, depth, omega_0 and the scale of the hidden weights, chooses
    the biases and draws new weights. Narrow networks are drawn many times, until each
    layer has 1024 neurons. The arguments are where the page starts.

    Args:
        width: a power of two from 8 to 512.
        depth: number of sine layers, 2 to 12.
        omega_0: of all layers, a whole number from 1 to 60.
        init: ``"official"``, ``"zero-bias"`` or ``"random-phase"``.
        alt: what the picture shows, in a sentence.

    Raises:
        ValueError: an argument is none that the page has.

    Source: chapters 6 and 7.
    """
    start = {"width": width, "depth": depth, "omega_0": omega_0}
    for name, number in start.items():
        low, high = LIMITS[name]
        if number not in range(low, high + 1):
            raise ValueError(
                f"{name} must be a whole number from {low} to {high}, as its slider "
                f"has it, not {number!r}"
            )
    if not math.log2(width).is_integer():
        raise ValueError(f"width must be a power of two, such as 128, not {width}")
    if init not in BIASES:
        raise ValueError(f"init must be one of {', '.join(BIASES)}, not {init!r}")
    width, depth, omega_0 = int(width), int(depth), int(omega_0)
    spec = {"width": width, "depth": depth, "omega": omega_0}
    spec["biases"] = BIASES.index(init)
    picture = _picture(width, depth, omega_0, init)
    return LiveOutput("explore_activations", spec, picture, alt)


def _picture(width: int, depth: int, omega_0: float, init: str) -> bytes:
    """The same view of networks that `Siren` draws, as a PNG file."""
    x, found = torch.linspace(-1, 1, INPUTS)[:, None], []
    for seed in range(NEURONS // width):
        generator = torch.Generator().manual_seed(seed)
        settings = {"init": init, "generator": generator}
        siren = Siren(1, width, depth - 1, 1, True, omega_0, omega_0, **settings)
        with torch.no_grad():
            found.append(siren.forward_with_activations(x))
    bounds = phase_bounds(siren, init)[:depth]
    laws = theory.network_law(x.double().numpy(), bounds)
    with plt.style.context(figures.STYLE):
        figure = Figure(figsize=(6.4, 0.6 + 0.9 * depth), dpi=100)
        for i, (left, right) in enumerate(figure.subplots(depth, 2)):
            weight, bias = bounds[i][1]
            sums = laws[i].variance - bias**2 / 3
            edge = bias + (4 * math.sqrt(sums) if i else weight)
            layer = {"bias": bias, **({"q": sums} if i else {"weight": weight})}
            for axes, name, law, to in (
                (left, "phase", partial(phase_density, **layer), edge),
                (right, "sine", partial(sine_density, **layer), 1),
            ):
                values = torch.cat([each[f"{i}.{name}"].flatten() for each in found])
                figures.histogram_with_law(axes, values.numpy(), law, (-to, to), 40)
            left.set(ylabel=f"layer {i + 1}", yticks=[])
            right.set(ylabel="", yticks=[], ylim=(0, 2.2), xticks=[-1, 0, 1])
        left.set(xlabel="before the sine")
        right.set(xlabel="after the sine")
        return figure_png(figure)
