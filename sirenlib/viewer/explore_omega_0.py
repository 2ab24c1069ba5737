"""One line, its samples, and what a first layer draws between them, to play with."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .. import figures
from ..arguments import positive_number
from .frame import LiveOutput, figure_png

SAMPLES, WAVES, PENALTY, SEED = 48, 8, 1e-4, 1
SLOWEST, FASTEST = 1.0, 1000.0


def explore_omega_0(omega_0: float = 30.0, *, alt: str) -> LiveOutput:
    """From blur to noise: 48 samples of a line, and omega_0 under a slider.

    A layer of 256 sines with random phases, and a linear layer behind it, which is
    solved for: the least squared error at the samples, with a penalty of 1e-4 on the
    squared weights. Beside it the limit of infinitely many sines.

    Args:
        omega_0: at the start, from 1 to 1000.
        alt: what the picture shows, in a sentence.

    Raises:
        ValueError: omega_0 is out of its range.

    Source: chapter 11; the kernel is that of its first section.
    """
    omega_0 = positive_number("omega_0", omega_0)
    if not SLOWEST <= omega_0 <= FASTEST:
        raise ValueError(
            f"omega_0 must be between {SLOWEST:g} and {FASTEST:g}, not {omega_0:g}"
        )
    waves = line_waves()
    spec = {"waves": waves.tolist(), "count": SAMPLES, "omega": omega_0, "seed": SEED}
    return LiveOutput("explore_omega_0", spec, _picture(waves, omega_0), alt)


def line_waves() -> np.ndarray:
    """The line as a sum of cosines: their frequency, size and start ``(waves, 3)``."""
    random = np.random.default_rng(3)
    frequencies = math.pi * np.arange(1, WAVES + 1)
    sizes, starts = random.normal(size=WAVES), random.uniform(0, 2 * math.pi, WAVES)
    waves = np.stack([frequencies, sizes, starts], 1)
    waves[:, 1] /= np.abs(line_at(waves, np.linspace(-1, 1, 2001))).max()
    return waves.round(4)


def line_at(waves: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The value of a sum of cosines at each x."""
    omega, size, start = waves.T
    return np.cos(np.multiply.outer(x, omega) + start) @ size


def sinc_line(waves: np.ndarray, omega_0: float, places: np.ndarray) -> np.ndarray:
    """What infinitely many sines draw at those places, from the samples alone."""
    x = np.linspace(-1, 1, SAMPLES)

    def kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.sinc(omega_0 * np.subtract.outer(one, other) / np.pi)

    shares = np.linalg.solve(
        kernel(x, x) + PENALTY * np.eye(SAMPLES), line_at(waves, x)
    )
    return kernel(places, x) @ shares


def _picture(waves: np.ndarray, omega_0: float) -> bytes:
    """The same view, of infinitely many sines, as a PNG file."""
    places, x = np.linspace(-1, 1, 1201), np.linspace(-1, 1, SAMPLES)
    with plt.style.context(figures.STYLE):
        figure = Figure(figsize=(7.2, 2.8), dpi=100)
        axes = figure.subplots()
        axes.plot(places, line_at(waves, places), color="0.75", lw=5)
        drawn = sinc_line(waves, omega_0, places)
        axes.plot(places, drawn, color=figures.PREDICTED, lw=1.5)
        axes.plot(x, line_at(waves, x), "o", ms=3, color="0.25")
        axes.set(xlabel="x", ylabel="value", xlim=(-1.02, 1.02), ylim=(-1.6, 1.6))
        return figure_png(figure)
