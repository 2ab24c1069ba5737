"""One output that is alive where scripts run, and a picture everywhere else."""

import base64
import hashlib
import html
import io
import json
import re
from importlib.resources import files

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from ..images import to_pixels

# For what is never negative, and for what has a sign.
COLOR_MAPS = ("viridis", "RdBu_r")

# Where it is alive its picture is hidden, except on paper.
SWITCH = """<style>
.sirenlib img { max-width: 100%; height: auto; }
@media screen { .sirenlib[data-state="live"] > img { display: none; } }
@media print { .sirenlib > div { display: none; } }
</style>"""

DOCUMENT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 1rem auto; padding: 0 1rem; max-width: 60rem; font-family: system-ui; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{output}
</main>
</body>
</html>
"""


class LiveOutput:
    """What a viewer returns: displayed as the last line of a cell it is alive.

    Its HTML needs nothing else: no kernel, no network, no other file. Where scripts do
    not run it shows its picture.

    Args:
        name: the script that makes it, without ``.js``. Its function has that name in
            JavaScript's way, ``viewPicture`` in ``view_picture``, and is called with
            the shadow root, the spec and the host element.
        spec: what the function is told, as JSON.
        picture: a PNG file's bytes.
        alt: what the picture shows, for those who do not see it.

    Raises:
        ValueError: alt is empty, or a number of the spec is not finite.
    """

    def __init__(self, name: str, spec: dict, picture: bytes, alt: str):
        if not alt.strip():
            raise ValueError("alt is empty: say in a sentence what the picture shows")
        self.name, self.alt = name, alt
        self.picture = base64.b64encode(picture).decode()
        # In a script "<" could begin the tag that ends it.
        text = json.dumps({**spec, "alt": alt}, allow_nan=False, sort_keys=True)
        self.spec = text.replace("<", "\\u003c")

    def html(self) -> str:
        """The output as HTML that can stand in any page."""
        build = re.sub("_(.)", lambda letter: letter[1].upper(), self.name)
        key = hashlib.sha256(f"{build}{self.spec}".encode()).hexdigest()[:12]
        alt = html.escape(self.alt)
        return (
            f'<div class="sirenlib" data-key="{key}">'
            f'<img alt="{alt}" src="data:image/png;base64,{self.picture}"></div>\n'
            f"{SWITCH}\n<script>(() => {{\n{joined('frame', self.name)}\n"
            f'mount("{key}", (root, host) => {build}(root, {self.spec}, host));\n'
            "})();</script>"
        )

    def page(self, title: str) -> str:
        """A whole HTML file, to send to somebody."""
        return DOCUMENT.format(title=html.escape(title), output=self.html())

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {
            "text/html": self.html(),
            "image/png": self.picture,
            "text/plain": self.alt,
        }


def joined(*scripts: str) -> str:
    """The scripts of those names in one, with the style sheet as ``STYLE``.

    What a script needs comes before it, once. Its first line says what that is:
    ``/* needs: frame network */``.
    """
    folder, texts = files(__package__), {}

    def add(name: str) -> None:
        if name in texts:
            return
        text = (folder / f"{name}.js").read_text(encoding="utf-8")
        first, rest = text.split("\n", 1)
        for other in first.removeprefix("/* needs:").removesuffix("*/").split():
            add(other)
        texts[name] = rest

    for name in scripts:
        add(name)
    style = json.dumps((folder / "frame.css").read_text(encoding="utf-8"))
    return "\n".join(['"use strict";', f"const STYLE = {style};", *texts.values()])


def base64_floats(numbers: np.ndarray) -> str:
    """The numbers in 32 bits, as text that travels in a page."""
    return base64.b64encode(np.asarray(numbers, dtype="<f4").tobytes()).decode()


def require_finite(name: str, *arrays: ArrayLike) -> None:
    """Ask for numbers that a page can draw.

    Args:
        name: what they belong to, in words.

    Raises:
        ValueError: one is NaN or infinite.
    """
    if not all(np.isfinite(np.asarray(array)).all() for array in arrays):
        raise ValueError(
            f"{name} holds NaN or infinite numbers, which no page can draw"
        )


def rgb(pixels: np.ndarray) -> np.ndarray:
    """Pixels that can be drawn: of two channels red and green, blue is 0.

    Shape:
        - pixels: ``(H, W)`` or ``(H, W, c)`` with c up to 3
        - Output: ``(H, W)``, or ``(H, W, 3)`` for c = 2 and 3
    """
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        return pixels[..., 0]
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        return np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=2)
    return pixels


def color_tables() -> str:
    """The 256 colors of each map, red, green, blue and alpha, as base64."""
    steps = np.linspace(0, 1, 256)
    tables = [matplotlib.colormaps[name](steps) for name in COLOR_MAPS]
    colors = to_pixels(np.concatenate(tables), (0, 1))
    return base64.b64encode(colors.tobytes()).decode()


def png(pixels: np.ndarray, colors: int | None = None) -> bytes:
    """8-bit pixels, ``(H, W)`` or ``(H, W, 3)``, as a PNG file.

    Args:
        colors: the size of a palette, with which the file is a third as large.
    """
    return _encoded(Image.fromarray(pixels), colors)


def figure_png(figure: Figure, colors: int | None = 64) -> bytes:
    """A figure as a PNG file; the figure is closed.

    Args:
        colors: the size of a palette; None keeps every color.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    plt.close(figure)
    if colors is None:
        return drawn.getvalue()
    return _encoded(Image.open(drawn).convert("RGB"), colors)


def _encoded(picture: Image.Image, colors: int | None) -> bytes:
    if colors:
        picture = picture.quantize(colors, dither=Image.Dither.NONE)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
