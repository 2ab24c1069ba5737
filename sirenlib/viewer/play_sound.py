"""A sound that is a network: computed in the page from its weights, heard and seen."""

import base64
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from .. import figures
from ..arguments import whole_number
from ..evaluation import values_at
from ..files import SavedNetwork
from ..quilt import Quilt
from ..signals import Signal
from ..siren import Siren
from .frame import LiveOutput, base64_floats, figure_png
from .view_picture import form_and_arrays, require_room, require_sines

LARGEST = 8_000_000  # weights, which are 21 MB of a page
COLUMNS, PER_COLUMN = 720, 16  # of the waveform where scripts do not run
STEPS = 32767  # of 16 bits, to each side


def play_sound(
    model: Siren | Quilt | SavedNetwork,
    *,
    alt: str,
    rate: int | None = None,
    samples: int | None = None,
    target: Signal | None = None,
) -> LiveOutput:
    """A sound in the page that its network plays, with a waveform to zoom into.

    The page has the weights and no samples. It computes them, in 64 bits and in short
    pieces of work, and plays them when the reader asks. Zoomed in, the waveform shows
    the network between the samples, as a curve.

    The matrices of the hidden layers travel in 16 bits. That takes half of the room,
    and loses less than PyTorch loses when it computes in 32 bits. All other weights
    travel in 32: the first omega_0 multiplies whatever is lost before it.

    Args:
        model: one coordinate and one output, up to 8 million weights; or what `load`
            returns, which knows the next two by itself.
        alt: what is heard, in a sentence.
        rate: samples a second.
        samples: how many, evenly from one end of the window to the other.
        target: the sound that it was fitted to, in place of ``samples``: to compare by
            ear, and in the waveform.

    Raises:
        ValueError: the network is of another kind or not finite, or an argument is
            wrong or missing.

    Source: chapter 14.
    """
    value_range, window = (-1.0, 1.0), getattr(model, "window", ((-1.0, 1.0),))
    if isinstance(model, SavedNetwork):
        model, shape, value_range, window, saved_rate = model
        samples = math.prod(shape) if samples is None else samples
        rate = saved_rate if rate is None else rate
    _require_sound(model)
    if target is not None:
        _require_target(target, samples)
        (samples,), value_range = target.shape, target.value_range
        window = target.corners()
    rate = _known("rate", rate, 1, "or write the file with save(..., rate=...)")
    samples = _known("samples", samples, 2, "or the sound it was fitted to as target")
    peak = max(map(abs, value_range))
    spec = {
        "network": packed_in_16_bits(model),
        "rate": rate,
        "samples": samples,
        "window": window[0],
        "peak": peak,
        "target": None if target is None else _pcm(target, peak),
    }
    picture = _picture(model, window[0], peak, samples, rate)
    return LiveOutput("play_sound", spec, picture, alt)


def _require_sound(model: Siren | Quilt) -> None:
    require_sines(model, "play_sound")
    if (model.in_features, model.out_features) != (1, 1):
        raise ValueError(
            f"the network maps {model.in_features} coordinates to {model.out_features} "
            "outputs: a sound has one of each"
        )
    require_room(model, LARGEST, "write the sound with write_sound()")


def _require_target(target: Signal, samples: int | None) -> None:
    if not isinstance(target, Signal):
        raise ValueError(
            f"target must be a Signal, not {type(target).__name__}: make one with "
            "sound_signal(path) or array_signal(values), and fit the network to it"
        )
    if not target.is_grid or target.values.shape[1] != 1 or len(target.shape) != 1:
        raise ValueError(
            f"the target has shape {target.shape} and {target.values.shape[1]} "
            "channels: a sound has evenly spaced samples of one channel"
        )
    if samples not in (None, len(target.values)):
        raise ValueError(
            f"the target has {len(target.values)} samples, not {samples}: leave out "
            "samples, or give the sound that the network was fitted to"
        )


def _known(name: str, value: int | None, smallest: int, otherwise: str) -> int:
    if value is None:
        raise ValueError(
            f"the network does not say its {name}: give {name}=..., {otherwise}"
        )
    return whole_number(name, value, smallest)


def packed_in_16_bits(model: Siren | Quilt) -> dict:
    """The network as it travels in a page: the hidden layers' matrices in 16 bits.

    Each matrix of each tile is rounded to multiples of a unit, a 32,767th of its
    largest entry. ``hidden`` has these, and the unit stands in ``weights`` where the
    matrix belongs. Half precision would take as much room and lose more: it spends
    bits on how small a weight may be.

    Raises:
        ValueError: a weight is NaN or infinite, or becomes so in 32 bits.
    """
    form, arrays = form_and_arrays(model)
    hidden = []
    for i in range(2, len(arrays) - 2, 2):  # not the biases
        unit = np.abs(arrays[i]).max(axis=1, keepdims=True) / np.float32(STEPS)
        unit[unit == 0] = 1
        hidden.append(np.rint(arrays[i] / unit))
        arrays[i] = unit
    steps = np.concatenate(hidden, axis=1) if hidden else np.empty(0)
    return form | {
        "weights": base64_floats(np.concatenate(arrays, axis=1)),
        "hidden": base64.b64encode(steps.astype("<i2").tobytes()).decode(),
    }


def _pcm(target: Signal, peak: float) -> str:
    """The samples in 16 bits."""
    values = target.values.flatten().double().cpu().numpy() / peak
    pcm = np.rint(values.clip(-1, 1) * STEPS).astype("<i2")
    return base64.b64encode(pcm.tobytes()).decode()


def _picture(
    model: Siren | Quilt,
    ends: tuple[float, float],
    peak: float,
    samples: int,
    rate: int,
) -> bytes:
    """The waveform as a PNG file, each column from its lowest to its highest value."""
    per_column = min(PER_COLUMN, max(1, samples // COLUMNS))
    count = min(samples, COLUMNS * per_column)
    coords = torch.linspace(*ends, count, dtype=torch.float64)[:, None]
    values = values_at(model, coords)[:, 0].double().cpu().numpy()
    columns = values[: count - count % per_column].reshape(-1, per_column)
    seconds = np.linspace(0, (samples - 1) / rate, len(columns))
    low, high = columns.min(axis=1), columns.max(axis=1)
    with plt.style.context(figures.STYLE):
        figure = Figure(figsize=(7.2, 2.0), dpi=100)
        axes = figure.subplots()
        axes.fill_between(seconds, low, high, color=figures.MEASURED, linewidth=0.8)
        axes.set(xlabel="seconds", xlim=seconds[[0, -1]], ylim=(-peak, peak))
        return figure_png(figure)
