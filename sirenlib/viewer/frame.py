"""One output that is alive where scripts run, and a picture everywhere else."""

import base64
import hashlib
import html
import io
import json
from importlib.resources import files

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

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
        build: the JavaScript function that makes it, called with the shadow root, the
            spec and the host element.
        scripts: the files it is made of, without ``.js``; ``frame`` comes by itself.
        spec: what the function is told, as JSON.
        picture: a PNG file's bytes.
        alt: what the picture shows, for those who do not see it.
    """

    def __init__(
        self, build: str, scripts: list[str], spec: dict, picture: bytes, alt: str
    ):
        if not alt.strip():
            raise ValueError("alt is empty: say in a sentence what the picture shows")
        self.build, self.scripts, self.alt = build, scripts, alt
        self.picture = base64.b64encode(picture).decode()
        # In a script "<" could begin the tag that ends it.
        text = json.dumps({**spec, "alt": alt}, allow_nan=False, sort_keys=True)
        self.spec = text.replace("<", "\\u003c")

    def html(self) -> str:
        """The output as HTML that can stand in any page."""
        key = hashlib.sha256(f"{self.build}{self.spec}".encode()).hexdigest()[:12]
        alt = html.escape(self.alt)
        return (
            f'<div class="sirenlib" data-key="{key}">'
            f'<img alt="{alt}" src="data:image/png;base64,{self.picture}"></div>\n'
            f"{SWITCH}\n<script>(() => {{\n{joined('frame', *self.scripts)}\n"
            f'mount("{key}", (root, host) => {self.build}(root, {self.spec}, host));\n'
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
    """The scripts of those names in one, with the style sheet as ``STYLE``."""
    folder = files(__package__)
    texts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in scripts]
    style = json.dumps((folder / "frame.css").read_text(encoding="utf-8"))
    return "\n".join(['"use strict";', f"const STYLE = {style};", *texts])


def base64_floats(numbers: np.ndarray) -> str:
    """The numbers in 32 bits, as text that travels in a page."""
    return base64.b64encode(np.asarray(numbers, dtype="<f4").tobytes()).decode()


def png(unit: np.ndarray, colors: int | None = None) -> bytes:
    """A picture in [0, 1], ``(H, W)`` or ``(H, W, 3)``, as a PNG file.

    Args:
        colors: the size of a palette, with which the file is a third as large.
    """
    pixels = (np.asarray(unit, dtype=float).clip(0, 1) * 255).round().astype(np.uint8)
    return _file(Image.fromarray(pixels), colors)


def figure_png(figure: Figure, colors: int = 64) -> bytes:
    """A figure as a PNG file with a palette."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return _file(Image.open(drawn).convert("RGB"), colors)


def _file(picture: Image.Image, colors: int | None) -> bytes:
    if colors:
        picture = picture.quantize(colors, dither=Image.Dither.NONE)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
