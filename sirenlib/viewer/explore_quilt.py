"""Quilts of other tiles, overlaps and depths, under three sliders."""

import itertools

import numpy as np
from torch import nn

from ..arguments import positive_number, whole_number
from ..evaluation import signal_psnr
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

Setting = tuple[int, float, int]


def explore_quilt(
    fits: dict[Setting, nn.Module],
    signal: Signal,
    *,
    alt: str,
    between: Signal | None = None,
    seconds: dict[Setting, float] | None = None,
) -> LiveOutput:
    """Fits of a picture by quilts: how many tiles, how much overlap, how many layers.

    The reader moves three sliders, and sees the fitted picture and its Laplacian, in
    which the seams appear and go; below them stand its PSNR and what it took. Nothing
    is fitted in the page. The Laplacian has the same colors for all settings: full red
    and blue are what only a hundredth of the pixels exceed in the picture itself, by
    differences of five neighboring pixels.

    Args:
        fits: the fitted networks by tiles along a side, overlap and hidden layers, of
            every combination of these. One network may stand for several, such as a
            single tile for all overlaps. The first of them is shown first.
        signal: the picture that they were fitted to, gray or in color.
        alt: what the first one shows, in a sentence.
        between: what lies between its pixels, for a PSNR there.
        seconds: what each fit took on a CPU.

    Raises:
        ValueError: a combination is missing in fits or seconds, or there are more than
            a page holds; a network's numbers are not finite; or the signal is no
            picture of 3 x 3 pixels or more.

    Source: chapter 13.
    """
    axes = _axes_of(fits)
    settings = list(itertools.product(*axes))
    _require_all("fits", fits, settings)
    if seconds is not None:
        _require_all("seconds", seconds, settings)
    require_picture(signal)
    rows = rows_of_sheet(len(settings), "settings", signal.shape, 2)
    largest = _largest_laplacian(signal)
    ranges = [signal.value_range, (-largest, largest)]
    panels, quality = [], []
    for setting in settings:
        name = f"the network of the setting {setting}"
        value, _, laplacian = fields_of(name, fits[setting], signal)
        panels.append(side_by_side([value, laplacian], ranges, signal.shape))
        found = [psnr(value, signal.values, signal.data_range)]
        if between is not None:
            found.append(signal_psnr(fits[setting], between))
        quality.append([round(min(each, BEST), 3) for each in found])
    first = settings.index(next(iter(fits)))
    spec = sheet_spec(panels, rows, signal.shape) | {
        "axes": axes,
        "first": first,
        "psnr": quality,
        "seconds": seconds and [float(seconds[setting]) for setting in settings],
    }
    picture = colored(panels[first], (None, COLOR_MAPS[1]))
    return LiveOutput("explore_quilt", spec, picture, alt)


def _axes_of(fits: dict[Setting, nn.Module]) -> list[list]:
    """The tiles, the overlaps and the numbers of layers that there are, in order."""
    if not fits:
        raise ValueError("fits is empty: give at least one fitted network")
    for setting in fits:
        if not isinstance(setting, tuple) or len(setting) != 3:
            raise ValueError(
                f"fits has the key {setting!r}: it must be (tiles along a side, "
                "overlap, hidden layers)"
            )
        tiles, overlap, layers = setting
        whole_number("tiles along a side", tiles, 1)
        positive_number("overlap", overlap)
        whole_number("hidden layers", layers, 0)
    return [sorted(set(axis)) for axis in zip(*fits, strict=True)]


def _require_all(name: str, given: dict, settings: list[Setting]) -> None:
    missing = [setting for setting in settings if setting not in given]
    if missing:
        raise ValueError(
            f"{name} must have all {len(settings)} combinations of its tiles, overlaps "
            f"and hidden layers: {missing[0]} is missing"
        )


def _largest_laplacian(signal: Signal) -> float:
    """What only a hundredth of the picture exceeds, by its pixels: mean of channels."""
    if min(signal.shape) < 3:
        raise ValueError(
            f"the signal has shape {signal.shape}: a Laplacian takes at least 3 x 3 "
            "pixels"
        )
    picture = signal.values.double().mean(1).reshape(signal.shape).cpu().numpy()
    total = 0.0
    for axis, (first, last) in enumerate(signal.corners()):
        step = (last - first) / (signal.shape[axis] - 1)
        second = np.diff(picture, 2, axis) / step**2
        total = total + (second[:, 1:-1] if axis == 0 else second[1:-1])
    return float(np.quantile(np.abs(total), 0.99)) or 1.0
