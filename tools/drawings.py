"""A Sphinx extension: on a phone the letters in a figure stay readable.

A page may not make a figure so narrow that its smallest letters have fewer than
`SMALLEST` pixels. Where its column is narrower the figure scrolls by itself, and since
it has to, at a size that is easier to read. ``scrolling.js`` shows that there is more.

How small the letters are is known beforehand: all figures are drawn with
`sirenlib.figures.STYLE`, and a cell that sets another size names it.
"""

import json
import math
import re
from html import escape
from pathlib import Path

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

SMALLEST, EASY = 9, 11  # pixels of the screen, of which a phone has 390 in a line
COLUMN = 358  # pixels between the margins of a phone
SIZE = re.compile(r"\b(?:font|label|title)size=(\d+(?:\.\d+)?)\b")


def setup(app: Sphinx) -> dict:
    app.add_post_transform(Drawings)
    app.add_js_file("scrolling.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


class Drawings(SphinxPostTransform):
    """Puts each figure of a page into a box that can scroll."""

    default_priority = 110
    formats = ("html",)

    def run(self, **kwargs) -> None:
        sources = self._sources()
        for image in list(self.document.findall(nodes.image)):
            if "cover" in image["classes"]:  # a photograph: it has no letters
                continue
            path = Path(self.env.srcdir, image["uri"])
            with Image.open(path) as file:
                width = narrowest(file.width, sources.get(_cell(image), ""))
            label = escape(image.get("alt", "").partition(". ")[0].rstrip("."))
            opening = (
                f'<div class="drawing" data-label="{label}" '
                f'style="--narrowest: {width}px">'
            )
            at = image.parent.index(image)
            image.parent[at : at + 1] = [_raw(opening), image, _raw("</div>")]

    def _sources(self) -> dict[int, str]:
        """The code of a notebook's cells, by their places."""
        path = Path(self.env.doc2path(self.env.docname))
        if path.suffix != ".ipynb":
            return {}
        cells = json.loads(path.read_text("utf-8"))["cells"]
        return {at: "".join(cell["source"]) for at, cell in enumerate(cells)}


def narrowest(width: int, source: str = "") -> int:
    """How narrow a figure may be shown, in pixels of the screen.

    Args:
        width: the width of its file in pixels.
        source: the code that drew it.
    """
    letters = letter_height(source)
    wide = width * SMALLEST / letters
    return math.ceil(wide if wide <= COLUMN else width * EASY / letters)


def letter_height(source: str = "") -> float:
    """The size of the smallest letters of a figure, in pixels of its file.

    Exponents and indices count with the letter that they belong to.
    """
    from sirenlib.figures import STYLE  # imported late: PyTorch takes seconds

    sizes = [STYLE["font.size"], *map(float, SIZE.findall(source))]
    return min(sizes) / 72 * STYLE["figure.dpi"]


def _cell(node: nodes.Node) -> int | None:
    """The place of the cell that printed a figure."""
    while node is not None and "cell_index" not in getattr(node, "attributes", {}):
        node = node.parent
    return node and node["cell_index"]


def _raw(html: str) -> nodes.raw:
    return nodes.raw("", html, format="html")
