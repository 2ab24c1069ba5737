"""The steps of a fit under a slider."""

import base64
import copy
import io
import math

import matplotlib
import numpy as np
from PIL import Image
from torch import nn

from ..evaluation import evaluate
from ..images import to_pixels
from ..metrics import psnr
from ..signals import Signal
from .frame import (
    COLOR_MAPS,
    LiveOutput,
    color_tables,
    png,
    require_finite,
)

LONGEST = 16383  # of a WebP picture, in pixels
BEST = 200.0  # dB; more than 32 bits can tell, and JSON has no infinity


def scrub_training(
    model: nn.Module, states: dict[int, dict], signal: Signal, *, alt: str
) -> LiveOutput:
    """A fit to go back and forth in: picture, gradient, Laplacian, and the PSNR.

    All steps have the colors of the last one: what is bright there is as bright at the
    first step, if it is as large.

    Args:
        model: the network that was fitted; it is left as it is.
        states: copies of its ``state_dict()``, by the step they were taken at.
        signal: the picture, gray or in color.
        alt: what the last step shows, in a sentence.

    Raises:
        ValueError: there are fewer than two steps, or more than a page holds; a
            network's numbers are not finite; or the signal is no picture.

    Source: chapter 8.
    """
    if len(states) < 2:
        raise ValueError("states must have two steps or more, by their numbers")
    if len(signal.shape) != 2 or signal.values.shape[1] not in (1, 3):
        raise ValueError(
            f"the signal has shape {signal.shape} and {signal.values.shape[1]} "
            "channels: a picture has two axes, and 1 or 3 channels"
        )
    steps = sorted(states)
    rows = _rows_of_sheet(len(steps), signal.shape)
    last = _fields(model, states, steps[-1], signal)
    panels, quality = [], []
    for step in steps:
        fields = last if step == steps[-1] else _fields(model, states, step, signal)
        quality.append(psnr(fields[0], signal.values, signal.data_range))
        panels.append(_panels(fields, last, signal))
    spec = {
        "steps": steps,
        "psnr": [round(min(each, BEST), 3) for each in quality],
        "shape": signal.shape,
        "rows": rows,
        "sheet": _address(_sheet(panels, rows)),
        "colors": color_tables(),
    }
    return LiveOutput("scrub_training", spec, _picture(panels[-1]), alt)


def _rows_of_sheet(count: int, shape: tuple[int, int]) -> int:
    """How many steps stand below each other, so that the sheet is a WebP picture."""
    height, width = shape
    most_rows, most_columns = LONGEST // height, LONGEST // (3 * width)
    if count > most_rows * most_columns:
        raise ValueError(
            f"{count} steps of {height} x {width} pixels are too many for one page: it "
            f"holds {most_rows * most_columns} of that size"
        )
    return math.ceil(count / math.ceil(count / most_rows))


def _fields(model: nn.Module, states: dict, step: int, signal: Signal) -> list:
    """Value ``(N, c)``, length of the gradient ``(N,)`` and Laplacian ``(N,)``."""
    model = copy.deepcopy(model)
    model.load_state_dict(states[step])
    model.float()
    coords = signal.coords.float().to(next(model.parameters()).device)
    value, slope, laplacian = (field.cpu() for field in evaluate(model, coords))
    fields = [value.numpy(), slope.norm(dim=1).numpy(), laplacian[:, 0].numpy()]
    require_finite(f"the network at step {step}", *fields)
    return fields


def _panels(fields: list, last: list, signal: Signal) -> np.ndarray:
    """The three side by side, 8 bits, the last two without their colors yet."""
    value, slope, laplacian = fields
    longest = np.quantile(last[1], 0.99) or 1.0
    largest = np.quantile(np.abs(last[2]), 0.99) or 1.0
    panels = [
        to_pixels(value, signal.value_range),
        to_pixels(slope[:, None], (0, longest)),
        to_pixels(laplacian[:, None], (-largest, largest)),
    ]
    size = (len(value), 3)
    grids = [np.broadcast_to(each, size).reshape(*signal.shape, 3) for each in panels]
    return np.concatenate(grids, axis=1)


def _picture(panels: np.ndarray) -> bytes:
    """The three with their colors, as a PNG file."""
    value, *fields = np.split(panels, 3, axis=1)
    colored = [
        to_pixels(matplotlib.colormaps[name](field[..., 0])[..., :3], (0, 1))
        for name, field in zip(COLOR_MAPS, fields, strict=True)
    ]
    return png(np.concatenate([value, *colored], axis=1), colors=128)


def _sheet(panels: list[np.ndarray], rows: int) -> np.ndarray:
    """All steps in one picture, column after column."""
    empty = [np.zeros_like(panels[0])] * (-len(panels) % rows)
    columns = np.split(np.concatenate([*panels, *empty]), math.ceil(len(panels) / rows))
    return np.concatenate(columns, axis=1)


def _address(pixels: np.ndarray) -> str:
    """A picture as an address that holds it. WebP loses some hundredths of the range,
    and takes a fifth of the bytes."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=80, method=6)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
