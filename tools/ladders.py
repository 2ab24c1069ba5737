"""Draw quality against time for all contenders of a benchmark.

The picture holds the fingerprint of its record, so that a stale one is noticed and a
fresh one is not drawn again.
"""

import hashlib
import json
from pathlib import Path
from statistics import median

import matplotlib
from PIL import Image

from sirenlib import figures

matplotlib.use("Agg")
from matplotlib import pyplot as plt

# The others are gray: their labels tell them apart.
COLORS = dict(
    zip(
        ("quilt", "sirenlib.fit", "hash grid", "Fourier features"),
        figures.COLORS,
        strict=True,
    )
)
OTHER, GAP = "#777777", 0.055  # between two labels, as a share of the height


def write(record: dict, path: Path) -> None:
    """Draw the picture of a record, unless the one that is there is of this record."""
    if not is_fresh(record, path):
        with plt.style.context(figures.STYLE):
            made = draw(record)
            made.savefig(path, metadata={"Software": None, "Record": mark(record)})
            plt.close(made)


def is_fresh(record: dict, path: Path) -> bool:
    if not path.exists():
        return False
    with Image.open(path) as picture:
        return picture.info.get("Record") == mark(record)


def mark(record: dict) -> str:
    text = json.dumps(record, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def draw(record: dict) -> plt.Figure:
    """A panel for each picture that was fitted; the last one has the labels."""
    names = list(record["fitted"])
    size = (7.4, 4.2) if len(names) == 1 else (9.4, 3.4)
    figure, panels = plt.subplots(
        1, len(names), figsize=size, sharey=True, squeeze=False
    )
    for axes, name in zip(panels[0], names, strict=True):
        lines = [_line(axes, one) for one in _of(record, "contenders", name)]
        curves = [_curve(axes, one) for one in _of(record, "references", name)]
        axes.set(xscale="log", xlabel=record["clock"])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        if len(names) > 1:
            axes.set_title(name)
    panels[0][0].set_ylabel("PSNR (dB)")
    _label(axes, lines)
    _label(axes, [end for end in curves if end])
    return figure


def _of(record: dict, kind: str, picture: str) -> list[dict]:
    return [one for one in record[kind] if one["picture"] == picture]


def _line(axes: plt.Axes, one: dict) -> tuple:
    """The medians, and each fit as a faint dot."""
    color = COLORS.get(one["name"], OTHER)
    fits = [(fit["seconds"], fit["psnr"]) for fit in one["fits"]]
    axes.scatter(*zip(*fits, strict=True), s=9, color=color, alpha=0.35, linewidths=0)
    x, y = one["ladder"]["seconds"], one["ladder"]["psnr"]
    axes.plot(x, y, color=color)
    return x[-1], y[-1], one["name"], color


def _curve(axes: plt.Axes, one: dict) -> tuple | None:
    """A reference, at the pace of its step as copied; its first step is at no time."""
    pace = median(one["seconds a step"]["as copied"])
    steps = [step * pace for step in one["curve"]["step"][1:]]
    psnr = one["curve"]["psnr"][1:]
    if not steps:
        return None
    axes.plot(steps, psnr, color=OTHER, linestyle="--")
    return steps[-1], psnr[-1], one["name"], OTHER


def _label(axes: plt.Axes, ends: list[tuple]) -> None:
    """The lines' names, in a column beside the longest line, none over another."""
    bottom, top = axes.get_ylim()
    column, last = max((1.3 * x for x, *_ in ends), default=0), -float("inf")
    for x, y, name, color in sorted(ends, key=lambda end: end[1]):
        last = max(y, last + GAP * (top - bottom))
        axes.annotate(
            name,
            (x, y),
            (column, last),
            color=color,
            fontsize=10,
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "lw": 0.6,
                "relpos": (0, 0.5),
            },
        )
