"""A neural picture that the reader zooms into, evaluated in the page itself."""

import base64

import matplotlib
import numpy as np

from ..evaluation import render
from ..files import SavedNetwork
from ..signals import Signal
from ..siren import SineLayer, Siren
from .frame import LiveOutput, base64_floats, png

WIDEST = 256
COLOR_MAPS = ("viridis", "RdBu_r")
RENDERERS = ("auto", "webgl", "cpu")
SCRIPTS = ["algebra", "network", "shader", "processor", "picture"]


def view_picture(
    model: Siren | SavedNetwork,
    pixels: Signal | None = None,
    *,
    alt: str,
    renderer: str = "auto",
) -> LiveOutput:
    """A network in the page: to zoom into, with its gradient and its Laplacian.

    The weights travel in the page. A shader asks the network once for every pixel of
    the screen; the numbers under the cursor are computed in 64 bits.

    Args:
        model: two coordinates, 1 to 3 outputs, up to 256 wide; or what `load` returns.
        pixels: the picture that it was fitted to, to be drawn beside it.
        alt: what the picture shows, in a sentence.
        renderer: ``"webgl"``; ``"cpu"``, which is slower and coarser; or ``"auto"``,
            which takes the second where there is no graphics processor.

    Raises:
        ValueError: the network is of another kind, or an argument is wrong.

    Source: chapters 1 and 9.
    """
    if renderer not in RENDERERS:
        names = ", ".join(RENDERERS)
        raise ValueError(f"renderer must be one of {names}, not {renderer!r}")
    shape, value_range, window = (64, 64), (-1.0, 1.0), ((-1.0, 1.0), (-1.0, 1.0))
    if isinstance(model, SavedNetwork):
        model, shape, value_range, window = model
    _require_picture(model, shape)
    data = None
    if pixels is not None:
        shape, value_range = pixels.shape, pixels.value_range
        _require_picture(model, shape)
        if pixels.values.shape[1] != model.out_features:
            raise ValueError(
                f"pixels have {pixels.values.shape[1]} channels, the network has "
                f"{model.out_features} outputs: give the picture that it was fitted to"
            )
        corners = pixels.coords[0].tolist(), pixels.coords[-1].tolist()
        window = tuple(zip(*corners, strict=True))
        file = png(unit_colors(pixels.array(), value_range))
        data = f"data:image/png;base64,{base64.b64encode(file).decode()}"
    spec = {
        "network": packed(model),
        "shape": shape,
        "range": value_range,
        "window": window,
        "pixels": data,
        "colors": color_tables(),
        "renderer": renderer,
    }
    size = [max(2, round(384 * side / max(shape))) for side in shape]
    drawn = render(model, *size, window).squeeze(-1).numpy()
    return LiveOutput(
        "viewPicture", SCRIPTS, spec, png(unit_colors(drawn, value_range)), alt
    )


def _require_picture(model: Siren, shape: tuple[int, ...]) -> None:
    if not isinstance(model, Siren):
        raise ValueError(
            f"view_picture() takes a Siren or what load() returns, not "
            f"{type(model).__name__}"
        )
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


def unit_colors(picture: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Values as colors between 0 and 1: two channels are red and green."""
    low, high = value_range
    unit = (np.asarray(picture, dtype=float) - low) / (high - low)
    if unit.ndim == 3 and unit.shape[2] == 2:
        unit = np.concatenate([unit, np.zeros_like(unit[..., :1])], axis=2)
    return unit


def packed(model: Siren) -> dict:
    """The network as it travels in a page, its weights in 32 bits."""
    layers = [
        (layer.linear, layer.omega_0) if isinstance(layer, SineLayer) else (layer, None)
        for layer in model.net
    ]
    weights = [w for linear, _ in layers for w in (linear.weight, linear.bias)]
    numbers = [w.detach().cpu().numpy().ravel() for w in weights]
    return {
        "widths": [model.in_features, *(linear.out_features for linear, _ in layers)],
        "omegas": [omega_0 for _, omega_0 in layers],
        "weights": base64_floats(np.concatenate(numbers)),
    }


def color_tables() -> str:
    """256 colors for what is never negative, then 256 for what has a sign."""
    steps = np.linspace(0, 1, 256)
    tables = [matplotlib.colormaps[name](steps) for name in COLOR_MAPS]
    colors = (np.concatenate(tables) * 255).round().astype(np.uint8)
    return base64.b64encode(colors.tobytes()).decode()
