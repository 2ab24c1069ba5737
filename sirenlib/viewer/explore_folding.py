"""The sine of a uniform angle, to play with: a level, its crossings, a histogram."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .. import figures
from ..arguments import positive_number
from ..theory import ARCSINE
from .frame import LiveOutput, figure_png

SEED = 5


def explore_folding(
    a: float = math.pi / 2,
    b: float = 0.0,
    *,
    level: float = 0.6,
    simple: bool = False,
    alt: str,
) -> LiveOutput:
    """sin(aX + b) for X ~ U(-1, 1), in a page: its level, its crossings, its histogram.

    The reader moves the level, a and b, and draws up to 100,000 angles. Beside the
    sample stand the exact law of the sine and its distance to the arcsine law.

    Args:
        a: half of the range of angles at the start, in radians, up to 100.
        b: the middle of that range, in radians, between -100 and 100.
        level: the height at which crossings are marked, between -1 and 1.
        simple: the wave and its level alone, without samples.
        alt: what the picture shows, in a sentence.

    Raises:
        ValueError: a, b or level is out of its range.

    Source: chapters 3 and 5.
    """
    a = positive_number("a", a)
    for name, number, most in (("a", a, 100), ("b", b, 100), ("level", level, 1)):
        if not abs(number) <= most:
            raise ValueError(f"{name} must be between -{most} and {most}, not {number}")
    spec = {"a": a, "b": float(b), "level": float(level), "seed": SEED}
    spec["simple"] = bool(simple)
    return LiveOutput("explore_folding", spec, _picture(a, b, level, simple), alt)


def _picture(a: float, b: float, level: float, simple: bool) -> bytes:
    """The same view, with 5000 draws, as a PNG file."""
    wave = np.linspace(b - a, b + a, 2001)
    around = np.linspace(b - a - np.pi / 2, b + a + np.pi / 2, 2001)
    below = np.where(np.sin(wave) <= level, -1.15, np.nan)
    turns = 2 * np.pi * np.arange(-33, 34)
    sines = np.sin(a * np.random.default_rng(SEED).uniform(-1, 1, 5000) + b)
    heights = np.linspace(-1, 1, 403)[1:-1]
    with plt.style.context(figures.STYLE):
        figure = Figure(figsize=(7.2, 3.2), dpi=100)
        panels = figure.subplots(
            1,
            2 - simple,
            sharey=True,
            squeeze=False,
            width_ratios=[1.6, 1][: 2 - simple],
        )[0]
        left = panels[0]
        left.plot(around, np.sin(around), color="0.7", lw=1)
        left.plot(wave, np.sin(wave), color=figures.MEASURED)
        left.plot(wave, below, color=figures.THIRD, lw=6, solid_capstyle="butt")
        for start, inside in [(np.arcsin(level), "k"), (np.pi - np.arcsin(level), "w")]:
            places = (start + turns)[np.abs(start + turns - b) <= a]
            left.plot(places, 0 * places + level, "ko", mfc=inside, ms=5)
        left.set(xlabel="angle θ (radians)", ylabel="sin θ", yticks=[-1, 0, 1])
        for axes in panels:
            axes.axhline(level, color="0.4", ls="--", lw=1.2, zorder=1)
        if simple:
            return figure_png(figure)
        right = panels[1]
        bars = {"bins": 40, "range": (-1, 1), "orientation": "horizontal"}
        right.hist(sines, density=True, color=figures.MEASURED, alpha=0.45, **bars)
        right.plot(ARCSINE.pdf(heights), heights, color=figures.PREDICTED)
        right.set(xlabel="density of 5000 sines", xlim=(0, 2.5))
        return figure_png(figure)
