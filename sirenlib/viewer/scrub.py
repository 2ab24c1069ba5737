"""The steps of a fit under a slider."""

import base64
import copy
import io

import matplotlib
import numpy as np
from PIL import Image
from torch import nn

from ..evaluation import evaluate
from ..metrics import psnr
from ..signals import Signal
from .frame import LiveOutput, png
from .picture import COLOR_MAPS, color_tables, unit_colors


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
        ValueError: there are fewer than two steps, or the signal is no picture.

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
    fields = [_fields(model, states[step], signal) for step in steps]
    panels = [_panels(each, fields[-1], signal) for each in fields]
    quality = [psnr(value, signal.values, signal.data_range) for value, *_ in fields]
    spec = {
        "steps": steps,
        "psnr": [round(each, 3) for each in quality],
        "shape": signal.shape,
        "sheet": _address(np.concatenate(panels)),
        "colors": color_tables(),
    }
    return LiveOutput("scrubTraining", ["scrub"], spec, _picture(panels[-1]), alt)


def _fields(model: nn.Module, state: dict, signal: Signal) -> list[np.ndarray]:
    """Value ``(N, c)``, length of the gradient ``(N,)`` and Laplacian ``(N,)``."""
    model = copy.deepcopy(model)
    model.load_state_dict(state)
    coords = signal.coords.to(next(model.parameters()).device)
    value, slope, laplacian = (field.cpu() for field in evaluate(model, coords))
    return [value.numpy(), slope.norm(dim=1).numpy(), laplacian[:, 0].numpy()]


def _panels(fields: list, last: list, signal: Signal) -> np.ndarray:
    """The three side by side in [0, 1], the last two without their colors yet."""
    value, slope, laplacian = fields
    slope = slope / (np.quantile(last[1], 0.99) or 1.0)
    laplacian = 0.5 + 0.5 * laplacian / (np.quantile(np.abs(last[2]), 0.99) or 1.0)
    panels = [
        unit_colors(value, signal.value_range),
        slope[:, None],
        laplacian[:, None],
    ]
    size = (len(value), 3)
    grids = [np.broadcast_to(each, size).reshape(*signal.shape, 3) for each in panels]
    return np.concatenate(grids, axis=1).clip(0, 1)


def _picture(panels: np.ndarray) -> bytes:
    """The three with their colors, as a PNG file."""
    value, slope, laplacian = np.split(panels, 3, axis=1)
    colored = [
        matplotlib.colormaps[name](field[..., 0])[..., :3]
        for name, field in zip(COLOR_MAPS, (slope, laplacian), strict=True)
    ]
    return png(np.concatenate([value, *colored], axis=1), colors=128)


def _address(unit: np.ndarray) -> str:
    """A picture in [0, 1] as an address that holds it. WebP loses some hundredths
    of the range, and takes a fifth of the bytes."""
    file = io.BytesIO()
    pixels = Image.fromarray((unit * 255).round().astype(np.uint8))
    pixels.save(file, "WEBP", quality=80, method=6)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
