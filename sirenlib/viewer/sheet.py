"""Many fits of a picture as panels in one sheet, of which a page shows one."""

import base64
import io
import math
from collections.abc import Sequence

import matplotlib
import numpy as np
from PIL import Image
from torch import nn

from ..evaluation import evaluate
from ..images import to_pixels
from ..signals import Signal
from .frame import color_tables, png, require_finite

LONGEST = 16383  # of a WebP picture, in pixels
BEST = 200.0  # dB; more than 32 bits can tell, and JSON has no infinity


def require_picture(signal: Signal) -> None:
    """Ask for a signal that a panel can show.

    Raises:
        ValueError: it has not two axes, or not 1 or 3 channels.
    """
    if len(signal.shape) != 2 or signal.values.shape[1] not in (1, 3):
        raise ValueError(
            f"the signal has shape {signal.shape} and {signal.values.shape[1]} "
            "channels: a picture has two axes, and 1 or 3 channels"
        )


def rows_of_sheet(count: int, name: str, shape: tuple[int, int], panels: int) -> int:
    """How many fits stand below each other, so that the sheet is a WebP picture.

    Args:
        count, name: how many there are, and what they are, in the plural.
        shape: height and width of a panel.
        panels: how many there are beside each other for each fit.

    Raises:
        ValueError: no sheet holds so many.
    """
    height, width = shape
    most_rows, most_columns = LONGEST // height, LONGEST // (panels * width)
    if count > most_rows * most_columns:
        raise ValueError(
            f"{count} {name} of {height} x {width} pixels are too many for one page: "
            f"it holds {most_rows * most_columns} of that size"
        )
    return math.ceil(count / math.ceil(count / most_rows))


def fields_of(name: str, model: nn.Module, signal: Signal) -> list[np.ndarray]:
    """Value ``(N, c)``, length of the gradient ``(N,)`` and Laplacian ``(N,)``.

    Args:
        name: what the network is, in words.

    Raises:
        ValueError: one of them is NaN or infinite.
    """
    value, slope, laplacian = evaluate(model, signal.coords.float().cpu())
    fields = [value.numpy(), slope.norm(dim=1).numpy(), laplacian[:, 0].numpy()]
    require_finite(name, *fields)
    return fields


def side_by_side(
    fields: Sequence[np.ndarray], ranges: Sequence[tuple], shape: tuple[int, int]
) -> np.ndarray:
    """Panels in 8 bits: ``(H, k W, 3)`` from k fields ``(N, c)`` or ``(N,)``.

    What is to be colored is gray yet.
    """
    panels = [
        to_pixels(field.reshape(len(field), -1), edges)
        for field, edges in zip(fields, ranges, strict=True)
    ]
    grids = [np.broadcast_to(each, (len(each), 3)) for each in panels]
    return np.concatenate([grid.reshape(*shape, 3) for grid in grids], axis=1)


def colored(panels: np.ndarray, maps: Sequence[str | None]) -> bytes:
    """The panels of one fit as a PNG file, each in its color map, if it has one."""
    pictures = [
        to_pixels(matplotlib.colormaps[name](panel[..., 0])[..., :3], (0, 1))
        if name
        else panel
        for panel, name in zip(np.split(panels, len(maps), axis=1), maps, strict=True)
    ]
    return png(np.concatenate(pictures, axis=1), colors=128)


def sheet_spec(fits: list[np.ndarray], rows: int, shape: tuple[int, int]) -> dict:
    """What the script ``sheet`` is told, with the panels of all fits in one picture."""
    empty = [np.zeros_like(fits[0])] * (-len(fits) % rows)
    columns = np.split(np.concatenate([*fits, *empty]), math.ceil(len(fits) / rows))
    return {
        "shape": shape,
        "rows": rows,
        "sheet": _address(np.concatenate(columns, axis=1)),
        "colors": color_tables(),
    }


def _address(pixels: np.ndarray) -> str:
    """A picture as an address that holds it. WebP loses some hundredths of the range,
    and takes a fifth of the bytes."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=80, method=6)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
