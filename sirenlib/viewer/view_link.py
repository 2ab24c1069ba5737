"""The picture in the address of a page, drawn in the page itself."""

import base64

from ..links import from_link
from .frame import LiveOutput, color_tables
from .view_picture import LONGEST, view_picture


def view_link(example: str, *, alt: str, _renderer: str = "auto") -> LiveOutput:
    """What stands behind the # of the page's address, as ``view_picture`` draws it.

    The page reads the text itself. Where there is none, or a damaged one, it says so
    and draws the example.

    Args:
        example: what `to_link` returns.
        alt: what the example shows, in a sentence.

    Raises:
        ValueError: the example is no link, or it is damaged.

    Source: the page of pictures that are links; chapter 1 for what rounding costs.
    """
    saved = from_link(example)
    spec = {
        "example": example.strip().rpartition("#")[2],
        "colors": color_tables(),
        "longest": LONGEST,
        "renderer": _renderer,
    }
    picture = base64.b64decode(view_picture(saved, alt=alt).picture)
    return LiveOutput("view_link", spec, picture, alt)
