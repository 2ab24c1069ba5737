"""A neural picture that the reader zooms into, evaluated in the page itself."""

import base64
import copy
import math

import numpy as np
import torch

from ..evaluation import Window, render
from ..files import SavedNetwork
from ..images import to_pixels
from ..quilt import Quilt, TiledSine
from ..signals import Signal
from ..siren import SineLayer, Siren
from .frame import (
    LiveOutput,
    base64_floats,
    color_tables,
    png,
    require_finite,
    rgb,
)

WIDEST = 256
LARGEST = 4_000_000  # weights, which are 21 MB of a page
SIDE = 384  # pixels of the picture where scripts do not run
LONGEST = 12  # times as wide as high, or as high as wide, a picture is drawn


def view_picture(
    model: Siren | Quilt | SavedNetwork,
    pixels: Signal | None = None,
    *,
    alt: str,
    places: dict[str, Window] | None = None,
    _renderer: str = "auto",
) -> LiveOutput:
    """A network in the page: to zoom into, with its gradient and its Laplacian.

    The weights travel in the page, in 32 bits. A shader asks the network once for every
    pixel of the screen. Where there is no graphics processor the page draws slower and
    coarser. A `Quilt` is drawn as a `Siren` is: a pixel asks the tile in which it lies,
    and near a seam up to four. The reader draws the picture, the length of its
    gradient, its Laplacian, or all three side by side, with borders that can be moved.
    A switch shows the scale of the colors, and what the network says under the cursor,
    computed in 64 bits.

    Args:
        model: two coordinates, 1 to 3 outputs, up to 256 wide, up to 4 million weights;
            or what `load` returns.
        pixels: the picture that it was fitted to, to be drawn beside it. Its first and
            its last coordinate are the corners of what is drawn, whichever is larger.
        alt: what the picture shows, in a sentence.
        places: windows under their names, each a button that leads there: first and
            last coordinate of the rows, then of the columns, as for `render`. A window
            of another shape than the picture is seen whole, with more beside it.

    Raises:
        ValueError: the network is of another kind or not finite, or an argument is
            wrong.

    Source: chapters 1, 10 and 13.
    """
    shape, value_range, window = (64, 64), (-1.0, 1.0), ((-1.0, 1.0), (-1.0, 1.0))
    if isinstance(model, SavedNetwork):
        model, shape, value_range, window, _ = model
    if pixels is not None:
        _require_signal(pixels)
        shape, value_range = pixels.shape, pixels.value_range
    _require_picture(model, shape)
    data = None
    if pixels is not None:
        _require_channels(model, pixels)
        corners = pixels.coords[0].tolist(), pixels.coords[-1].tolist()
        window = tuple(zip(*corners, strict=True))
        file = png(rgb(to_pixels(pixels.array(), value_range)))
        data = f"data:image/png;base64,{base64.b64encode(file).decode()}"
    spec = {
        "network": packed(model),
        "shape": shape,
        "range": value_range,
        "window": window,
        "pixels": data,
        "colors": color_tables(),
        "longest": LONGEST,
        "places": _named_windows(places or {}),
        "renderer": _renderer,  # tests ask for "webgl" or "cpu"
    }
    picture = _picture(model, shape, value_range, window)
    return LiveOutput("view_picture", spec, picture, alt)


def _require_signal(pixels: Signal) -> None:
    if not isinstance(pixels, Signal):
        raise ValueError(
            f"pixels must be a Signal, not {type(pixels).__name__}: make one with "
            "image_signal(picture), and fit the network to it"
        )


def _named_windows(places: dict[str, Window]) -> list:
    """The places in their order, which JSON would not keep."""
    for name, window in places.items():
        ends = np.array(window, dtype=float)
        if ends.shape != (2, 2) or not np.isfinite(ends).all() or 0 in np.diff(ends):
            raise ValueError(
                f"the place {name!r} must be a window such as ((-0.5, 0.5), (0, 1)): "
                f"two different rows, then two different columns, not {window}"
            )
    return list(places.items())


def _require_picture(model: Siren | Quilt, shape: tuple[int, ...]) -> None:
    require_sines(model, "view_picture")
    outputs, width = model.out_features, model.hidden_features
    if model.in_features != 2 or outputs > 3 or len(shape) != 2:
        raise ValueError(
            f"the network maps {model.in_features} coordinates to {outputs} outputs on "
            f"a grid of shape {shape}: a picture has 2 coordinates and 1 to 3 outputs"
        )
    if width > WIDEST:
        raise ValueError(
            f"the network is {width} wide: a page draws up to {WIDEST}. Fit a narrower "
            "one, or draw this one with render()"
        )
    require_room(model, LARGEST, "draw this one with render()")


def require_sines(model: object, viewer: str) -> None:
    """Raise a ValueError unless the viewer of that name was given a sine network."""
    if not isinstance(model, Siren | Quilt):
        raise ValueError(
            f"{viewer}() takes a Siren, a Quilt or what load() returns, not "
            f"{type(model).__name__}"
        )


def require_room(model: Siren | Quilt, largest: int, instead: str) -> None:
    """Raise a ValueError where there are more weights, naming what to do instead."""
    weights = sum(weight.numel() for weight in model.parameters())
    if weights > largest:
        raise ValueError(
            f"the network has {weights:,} weights: a page holds up to {largest:,}. Fit "
            f"a smaller one, or {instead}"
        )


def _require_channels(model: Siren | Quilt, pixels: Signal) -> None:
    channels = pixels.values.shape[1]
    if channels != model.out_features:
        raise ValueError(
            f"pixels have {channels} channels, the network has {model.out_features} "
            "outputs: give the picture that it was fitted to"
        )


def packed(model: Siren | Quilt) -> dict:
    """The network as it travels in a page, its weights in 32 bits, tile after tile.

    Raises:
        ValueError: a weight is NaN or infinite, or becomes so in 32 bits.
    """
    form, arrays = form_and_arrays(model)
    return form | {"weights": base64_floats(np.concatenate(arrays, axis=1))}


def form_and_arrays(model: Siren | Quilt) -> tuple[dict, list[np.ndarray]]:
    """Sizes and factors of the layers, and then each layer's matrix and its bias, in
    32 bits, as arrays of a row for each tile.

    Raises:
        ValueError: a weight is NaN or infinite, or becomes so in 32 bits.
    """
    sines = (SineLayer, TiledSine)
    layers = [
        (layer.linear, layer.omega_0) if isinstance(layer, sines) else (layer, None)
        for layer in model.net
    ]
    tiles, form = 1, {}
    if isinstance(model, Quilt):
        tiles = math.prod(model.tiles)
        form = {name: getattr(model, name) for name in ("tiles", "overlap", "window")}
    arrays = []
    for linear, _ in layers:
        weight = linear.weight.mT if form else linear.weight  # (..., out, in)
        for part in (weight, linear.bias):
            arrays.append(part.detach().float().cpu().reshape(tiles, -1).numpy())
    require_finite("the network", *arrays)
    return form | {
        "widths": [model.in_features, *(linear.out_features for linear, _ in layers)],
        "omegas": [omega_0 for _, omega_0 in layers],
    }, arrays


def in_32_bits(model: Siren | Quilt) -> Siren | Quilt:
    """The network as a page draws it: itself, or a copy where its weights differ."""
    if any(weight.dtype != torch.float32 for weight in model.parameters()):
        return copy.deepcopy(model).float()
    return model


def _picture(
    model: Siren | Quilt, shape: tuple[int, int], value_range: tuple, window: Window
) -> bytes:
    """The value of the network, as a PNG file."""
    model = in_32_bits(model)
    sides = [max(1 / LONGEST, side / max(shape)) for side in shape]
    drawn = render(model, *(max(2, round(SIDE * side)) for side in sides), window)
    return png(rgb(to_pixels(drawn.numpy(), value_range)))
