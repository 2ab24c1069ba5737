"""The steps of a fit under a slider."""

import copy

import numpy as np
from torch import nn

from ..metrics import psnr
from ..signals import Signal
from .frame import COLOR_MAPS, LiveOutput
from .sheet import (
    BEST,
    colored,
    fields_of,
    require_picture,
    rows_of_sheet,
    sheet_spec,
    side_by_side,
)


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

    Source: chapter 9.
    """
    if len(states) < 2:
        raise ValueError("states must have two steps or more, by their numbers")
    require_picture(signal)
    steps = sorted(states)
    rows = rows_of_sheet(len(steps), "steps", signal.shape, 3)
    last = _fields(model, states, steps[-1], signal)
    longest, largest = (np.quantile(np.abs(each), 0.99) or 1.0 for each in last[1:])
    ranges = [signal.value_range, (0, longest), (-largest, largest)]
    panels, quality = [], []
    for step in steps:
        fields = last if step == steps[-1] else _fields(model, states, step, signal)
        quality.append(psnr(fields[0], signal.values, signal.data_range))
        panels.append(side_by_side(fields, ranges, signal.shape))
    spec = sheet_spec(panels, rows, signal.shape) | {
        "steps": steps,
        "psnr": [round(min(each, BEST), 3) for each in quality],
    }
    picture = colored(panels[-1], (None, *COLOR_MAPS))
    return LiveOutput("scrub_training", spec, picture, alt)


def _fields(model: nn.Module, states: dict, step: int, signal: Signal) -> list:
    model = copy.deepcopy(model)
    model.load_state_dict(states[step])
    return fields_of(f"the network at step {step}", model.float(), signal)
