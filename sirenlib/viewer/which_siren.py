"""A page on which a state dict is dropped, to learn which SIREN it is."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from .. import figures
from ..diagnosis import LIMITS, TRAINED, UNKNOWN
from ..siren import Siren
from ..starts import STARTS, Start
from .frame import LiveOutput, figure_png


def which_siren(*, alt: str) -> LiveOutput:
    """`diagnose` in a page: a file is dropped and diagnosed in the browser.

    The page reads ``.pt``, ``.safetensors`` and ``.npz`` files itself. Nothing leaves
    the computer, and a pickle in a file is followed only as far as it puts a dict of
    tensors together. It has the table of starts from `sirenlib.starts`. Where scripts
    do not run, a picture shows the laws of one network.

    Args:
        alt: what the picture shows, in a sentence.

    Source: chapter 8.
    """
    spec = {
        "starts": [_plain(start) for start in STARTS],
        "limits": LIMITS,
        "texts": {"trained": TRAINED, "unknown": UNKNOWN},
    }
    return LiveOutput("which_siren", spec, _picture(), alt)


def _plain(start: Start) -> dict:
    """A start as JSON."""
    roles = {
        role: [law._asdict() for law in getattr(start, role)]
        for role in ("first", "hidden", "last")
    }
    return start._asdict() | roles


def _picture() -> bytes:
    """The weights and the biases of one official layer, and the edges of their laws."""
    generator = torch.Generator().manual_seed(0)
    linear = Siren(2, 64, 1, 1, generator=generator).net[1].linear
    panels = [
        ("weights", linear.weight, np.sqrt(6 / 64) / 30),
        ("biases", linear.bias, 1 / 8),
    ]
    with plt.style.context(figures.STYLE):
        figure = Figure(figsize=(7.2, 2.6), dpi=100)
        both = figure.subplots(1, 2)
        for axes, (name, numbers, bound) in zip(both, panels, strict=True):
            numbers = numbers.detach().numpy().ravel()
            edges = np.linspace(-1.2 * bound, 1.2 * bound, 25)
            axes.hist(numbers, edges, density=True, color=figures.MEASURED, alpha=0.5)
            heights = [0, 0, 1 / (2 * bound), 1 / (2 * bound), 0, 0]
            places = np.array([-1.2, -1, -1, 1, 1, 1.2]) * bound
            axes.plot(places, heights, color=figures.PREDICTED)
            axes.set(xlabel=f"{name} of layer 2", yticks=[])
        return figure_png(figure)
