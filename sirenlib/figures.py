"""The book's figures in one style: ``plt.style.use(figures.STYLE)`` sets it.

The colors keep a contrast of 3:1 on white and on the dark page. Through the whole book
`MEASURED` is what was measured and `PREDICTED` what a law says.
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

COLORS = ("#1a73b8", "#d9731a", "#2f9e5b", "#c458a0")
MEASURED, PREDICTED, THIRD, FOURTH = COLORS

STYLE = {
    "figure.figsize": (6.4, 3.2),
    "figure.dpi": 120,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.bbox": "tight",
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.prop_cycle": cycler(color=COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12.5,
    "axes.titleweight": "normal",
    "axes.labelcolor": "#333333",
    "axes.edgecolor": "#888888",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "svg.hashsalt": "sirenlib",
}


def show_picture(axes: Axes, picture: np.ndarray | Tensor, title: str = "") -> None:
    """A picture with values in [-1, 1], gray or color, without ticks."""
    unit = (np.asarray(picture, dtype=float).squeeze() + 1) / 2
    axes.imshow(unit.clip(0, 1), vmin=0, vmax=1, cmap="gray")
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def show_magnitude(axes: Axes, values: np.ndarray | Tensor, title: str = "") -> None:
    """A field that is never negative; its brightest hundredth is cut off."""
    values = np.asarray(values, dtype=float)
    edge = np.quantile(values, 0.99) or 1.0
    _show_field(axes, values, title, "viridis", 0.0, edge)


def show_signed(axes: Axes, values: np.ndarray | Tensor, title: str = "") -> None:
    """A field with both signs, white at zero; its largest hundredth is cut off."""
    values = np.asarray(values, dtype=float)
    edge = np.quantile(np.abs(values), 0.99) or 1.0
    _show_field(axes, values, title, "RdBu_r", -edge, edge)


def _show_field(axes, values, title, cmap, low, high) -> None:
    axes.imshow(values, cmap=cmap, vmin=low, vmax=high)
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    _colorbar(axes)


def _colorbar(axes: Axes) -> Colorbar:
    bar = axes.figure.colorbar(
        axes.get_images()[0],
        ax=axes,
        orientation="horizontal",
        fraction=0.05,
        pad=0.03,
        aspect=25,
        ticks=plt.MaxNLocator(4),
    )
    bar.outline.set_visible(False)
    return bar


def three_panels(
    value: Tensor, gradient: Tensor, laplacian: Tensor, shape: tuple[int, int]
) -> Figure:
    """The picture, the length of its gradient, and its Laplacian, side by side.

    Args:
        value, gradient, laplacian: ``(N, c)``, ``(N, 2)`` and ``(N, 1)``, as
            `evaluate` returns them.
        shape: height and width, with product N.
    """
    tall = min(shape[0] / shape[1], 3.0)  # a taller picture is drawn narrower
    figure, axes = plt.subplots(1, 3, figsize=(8.0, 1.0 + 2.67 * tall))
    show_picture(axes[0], value.cpu().reshape(*shape, -1), "picture")
    _colorbar(axes[0]).ax.set_visible(False)  # so that the three stand in line
    slope = gradient.cpu().norm(dim=-1).reshape(shape)
    show_magnitude(axes[1], slope, "|gradient|, per unit")
    show_signed(axes[2], laplacian.cpu().reshape(shape), "Laplacian, per unit²")
    return figure


def two_spectrograms(target: Tensor, prediction: Tensor, rate: int) -> Figure:
    """A sound and its reconstruction, frequency against time, one below the other.

    Args:
        target, prediction: ``(N,)`` or ``(N, 1)``.
        rate: samples a second.
    """
    figure, axes = plt.subplots(2, 1, figsize=(7.0, 5.0), sharex=True, sharey=True)
    for ax, samples in zip(axes, (target, prediction), strict=True):
        show_spectrogram(ax, samples.detach().cpu().flatten().double().numpy(), rate)
    axes[0].set(title="the sound", xlabel="")
    axes[1].set_title("the network")
    return figure


def show_spectrogram(axes: Axes, samples: np.ndarray, rate: int) -> None:
    """Frequency in kilohertz against time in seconds; the color is the power in
    decibels, from the loudest place to 80 below it.

    Args:
        samples: ``(N,)``, of a sound.
        rate: samples a second.
    """
    from scipy.signal import spectrogram  # imported late: it takes half a second

    window = min(1024, len(samples) // 4)
    parts = {"nperseg": window, "noverlap": window * 3 // 4}
    _, _, power = spectrogram(samples, rate, "hann", **parts)  # (frequencies, times)
    loudest = power.max()
    decibels = 10 * np.log10(power.clip(1e-8 * loudest) / loudest)
    seconds = (0, len(samples) / rate, 0, rate / 2000)
    colors = {"cmap": "viridis", "vmin": -80, "vmax": 0}
    axes.imshow(decibels, **colors, origin="lower", aspect="auto", extent=seconds)
    axes.set(xlabel="seconds", ylabel="kHz")
    axes.grid(False)


def training_curve(axes: Axes, histories: dict) -> None:
    """PSNR of one or more fits against the seconds, each named at its end.

    The curves have the colors of the style's cycle, in order.

    Args:
        histories: by the name of its curve a `History`; one without rows is left out.
    """
    for name, history in histories.items():
        [line] = axes.plot(history.seconds, history.psnr)
        if history.seconds:
            end = history.seconds[-1], history.psnr[-1]
            axes.annotate(f" {name}", end, color=line.get_color(), va="center")
    axes.set(xlabel="seconds", ylabel="PSNR (dB)")


def staircase(values: ArrayLike) -> np.ndarray:
    """The path of a cobweb: up to the map, across to the diagonal, again and again.

    Args:
        values: ``(n,)``, each the map of the one before it.

    Returns:
        ``(2, 2n - 1)``: x and y of the corners, from the axis below the first value on.
    """
    across, up = np.repeat(values, 2)[:-1], np.repeat(values[1:], 2)
    return np.stack([across, [0, *up]])


def histogram_with_law(
    axes: Axes,
    samples: np.ndarray,
    density: Callable[[np.ndarray], np.ndarray],
    support: tuple[float, float],
    bins: int = 100,
) -> None:
    """A histogram of samples as a density, and the predicted density drawn over it."""
    axes.hist(
        samples, bins=bins, range=support, density=True, color=MEASURED, alpha=0.45
    )
    inside = np.linspace(*support, 1003)[1:-1]  # a density may be infinite at the ends
    axes.plot(inside, density(inside), color=PREDICTED)
    axes.set(xlim=support, ylabel="density")
