"""Draw the figure of the page "The whole argument": the chain of Part II in six panels.

Bars are a million samples, lines are the laws of `sirenlib.theory`.
"""

from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from scipy import stats

from sirenlib import figures, theory
from sirenlib.viewer.densities import sine_density

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PICTURE = Path(__file__).resolve().parent.parent / "book" / "argument.png"
SAMPLES, TERMS = 1_000_000, 64
sine_of_normal = partial(sine_density, bias=0.0, q=1.0)  # the density of sin Z


def draw() -> plt.Figure:
    """Two panels a row, to be read like a text."""
    random = np.random.default_rng(1)
    angle = random.uniform(-np.pi / 2, np.pi / 2, SAMPLES)
    total = added(random)
    figure, panels = plt.subplots(3, 2, figsize=(6.4, 7.6))
    first, second, third, fourth, fifth, sixth = panels.flat
    edge = np.pi / 2
    block = stats.uniform(-edge, np.pi).pdf
    figures.histogram_with_law(first, angle, block, (-edge, edge), 40)
    first.set(title="1. an angle", ylim=(0, 0.5), ylabel="density")
    first.set_xticks([-edge, 0, edge], ["−π/2", "0", "π/2"])
    bowl(second, np.sin(angle), theory.ARCSINE.pdf)
    second.set(title="2. its sine: variance 1/2")
    figures.histogram_with_law(third, total, stats.norm.pdf, (-3.5, 3.5), 50)
    third.set(title="3. weighted and added: 1", ylabel="density")
    bowl(fourth, np.sin(total), sine_of_normal)
    y = np.linspace(-0.995, 0.995, 200)
    fourth.plot(y, theory.ARCSINE.pdf(y), color="0.4", ls="--", lw=1.2)
    fourth.set(title="4. its sine: 0.432")
    cobweb(fifth)
    by_layer(sixth)
    return figure


def added(random: np.random.Generator) -> np.ndarray:
    """Weighted sums of sines of uniform angles."""
    found = np.zeros(SAMPLES)
    for _ in range(TERMS):
        weight = np.sqrt(6 / TERMS) * random.uniform(-1, 1, SAMPLES)
        found += weight * np.sin(random.uniform(-np.pi / 2, np.pi / 2, SAMPLES))
    return found


def variances(count: int, s: float = 1.0) -> list[float]:
    """Of the weighted sums, from layer 2 on; s is that of the biases."""
    found = [1.0]
    while len(found) < count:
        found.append(float(theory.next_variance(found[-1], s)))
    return found


def bowl(axes: plt.Axes, values: np.ndarray, law) -> None:
    figures.histogram_with_law(axes, values, law, (-1, 1), 40)
    axes.set(ylim=(0, 1.5), xticks=[-1, 0, 1])


def cobweb(axes: plt.Axes) -> None:
    v = np.linspace(0, 1.1, 100)
    axes.plot(v, v, color="0.6", lw=1)
    axes.plot(v, theory.next_variance(v), color=figures.PREDICTED)
    path = figures.staircase(variances(7))
    axes.plot(*path, color=figures.MEASURED, lw=1.5)
    axes.plot(theory.fixed_point(), theory.fixed_point(), "ko", ms=5)
    axes.set(title="5. the next variance", xlabel="variance in a layer")
    axes.set(xlim=(0, 1.1), ylim=(0, 1.1), ylabel="in the next one")


def by_layer(axes: plt.Axes) -> None:
    """The variance of the sums in deep networks, with two kinds of biases."""
    layers = np.arange(2, 13)
    kinds = {"no biases": 0.0, "half a turn": np.pi / 2}
    for (name, half), color in zip(kinds.items(), figures.COLORS[1:3], strict=True):
        found = variances(len(layers), float(theory.uniform_bias_factor(half)))
        axes.plot(layers, found, "o-", ms=4, color=color)
        axes.text(layers[-1], found[-1] + 0.03, name, color=color, ha="right")
    axes.set(title="6. layer by layer", xlabel="layer")
    axes.set(ylim=(0.6, 1.15), xticks=[2, 6, 10], ylabel="variance")


if __name__ == "__main__":
    with plt.style.context(figures.STYLE):
        draw().savefig(PICTURE, metadata={"Software": None})
