"""A neural shape that the reader turns, sphere-traced in the page itself."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..arguments import positive_number, whole_number
from ..evaluation import Window, evaluate, values_at
from ..files import SavedNetwork
from ..images import to_pixels
from ..quilt import Quilt
from ..signals import grid_between
from ..siren import Siren
from .frame import LiveOutput, color_tables, png
from .view_picture import WIDEST, in_32_bits, packed

STEPS = 200  # of a ray, at most
SAMPLES = 24  # points along each axis at which the length of the gradient is measured
AWAY = 3.0  # from the middle of the box to the eye, in half diagonals of the box
WIDE = 0.35  # tangent of half the angle that is seen
TURN, TILT = -0.9, 0.45  # of the eye around the third axis and above, in radians
COLOR = (0.48, 0.66, 0.86)
LEVELS = 10  # lines on a cut, from the value 0 to the largest, about so many
CUBE = ((-1.0, 1.0),) * 3


def view_shape(
    model: Siren | SavedNetwork,
    *,
    alt: str,
    size: int = 320,
    window: Window | None = None,
    bound: float | None = None,
    turn: float = TURN,
    tilt: float = TILT,
    _renderer: str = "auto",
) -> LiveOutput:
    """A signed distance function in the page: to turn, to zoom into and to cut.

    The surface is where the network is 0; below 0 is inside. From the eye through each
    pixel goes a ray, and on it the page asks the network again and again: if the
    gradient is nowhere longer than L, there is no surface within ``|f| / L``, so the
    ray may go that far (sphere tracing, Hart 1996). An exact distance has L = 1. A
    network has not: L is the longest gradient on a grid of 24 points a side, and a
    tenth more. Between the points it may be longer, and a ray may then step over a thin
    part; a larger `bound` shortens the steps. The Lipschitz bound that the weights
    prove, the product of their norms, is many times too long to be of use.

    The light needs normals. They are the gradient, which is carried through the layers
    with the value (chapter 10). A cut shows the network's own values, with lines where
    they are equally far apart. A switch shows what the network says under the cursor,
    computed in 64 bits.

    Args:
        model: three coordinates, one output, up to 256 wide; or what `load` returns.
            The third coordinate points up.
        alt: what the shape is, in a sentence.
        size: pixels along a side of the picture where scripts do not run.
        window: the first and the last coordinate of each axis of the box in which the
            rays look. By default that of a saved network, otherwise from -1 to 1. What
            reaches beyond the box is cut off, and shows its values there.
        bound: L, the longest gradient in the box; None measures it.
        turn, tilt: from where one looks at first, in radians: around the third axis
            and above the other two.

    Raises:
        ValueError: the network is of another kind or not finite, or an argument is
            wrong.

    Source: Hart 1996; chapters 10 and 16.
    """
    frame = CUBE
    if isinstance(model, SavedNetwork):
        model, _, _, frame, _ = model
    _require_shape(model)
    whole_number("size", size, 2)
    if not (math.isfinite(turn) and abs(tilt) <= math.pi / 2):
        raise ValueError(
            f"turn={turn!r} and tilt={tilt!r} must be angles in radians, tilt from "
            "-pi/2 to pi/2"
        )
    network, model = packed(model), in_32_bits(model)
    scene = scene_of(model, frame if window is None else window, bound)
    spec = scene._asdict() | {
        "network": network,
        "colors": color_tables(),
        "color": COLOR,
        "steps": STEPS,
        "camera": {"away": AWAY, "wide": WIDE, "turn": turn, "tilt": tilt},
        "renderer": _renderer,  # tests ask for "webgl" or "cpu"
    }
    picture = png(to_pixels(shaded(model, scene, size, turn, tilt), (0, 1)), colors=64)
    return LiveOutput("view_shape", spec, picture, alt)


def _require_shape(model: Siren) -> None:
    if isinstance(model, Quilt):
        raise ValueError(
            "view_shape() does not draw a Quilt: fit a Siren of three coordinates, "
            "Siren(3, 64, 2, 1)"
        )
    if not isinstance(model, Siren):
        raise ValueError(
            f"view_shape() takes a Siren or what load() returns, not "
            f"{type(model).__name__}"
        )
    if (model.in_features, model.out_features) != (3, 1):
        raise ValueError(
            f"the network maps {model.in_features} coordinates to {model.out_features} "
            "outputs: a shape has 3 coordinates and 1 output, its distance"
        )
    if model.hidden_features > WIDEST:
        raise ValueError(
            f"the network is {model.hidden_features} wide: a page draws up to {WIDEST}."
            " Fit a narrower one"
        )


class Scene(NamedTuple):
    """What a ray has to know: the corners of the box, and of the network there the
    longest gradient, which value is as good as 0, and the largest value."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    bound: float
    tolerance: float
    edge: float
    spacing: float  # of the lines on a cut

    @property
    def middle(self) -> np.ndarray:
        return (np.array(self.low) + self.high) / 2

    @property
    def radius(self) -> float:
        """Half a diagonal of the box."""
        return float(np.linalg.norm(np.subtract(self.high, self.low))) / 2


def scene_of(model: nn.Module, window: Window, bound: float | None = None) -> Scene:
    """The scene of a network in a window, measured on a grid of 24 points a side.

    Raises:
        ValueError: the window is no box, or bound is not positive.
    """
    low, high = _corners(window)
    axes = [(*ends, SAMPLES) for ends in zip(low, high, strict=True)]
    value, slope, _ = evaluate(model, grid_between(axes))
    lengths = slope.norm(dim=1)
    if bound is None:
        bound = 1.1 * float(lengths.max()) or 1.0
    positive_number("bound", bound)
    edge = float(value.abs().max()) or 1.0
    radius = math.dist(low, high) / 2
    tolerance = 2e-4 * radius * (float(lengths.median()) or bound)
    return Scene(low, high, float(bound), tolerance, edge, _round(edge / LEVELS))


def _corners(window: Window) -> tuple[tuple[float, ...], tuple[float, ...]]:
    ends = [sorted(map(float, pair)) for pair in window]
    box = len(ends) == 3 and all(
        low < high and math.isfinite(high - low) for low, high in ends
    )
    if not box:
        raise ValueError(
            f"window {window} must have the first and the last coordinate of three "
            "axes, finite and not the same"
        )
    return tuple(low for low, _ in ends), tuple(high for _, high in ends)


def _round(number: float) -> float:
    """The nearest of 1, 2 and 5 times a power of ten that is not smaller."""
    power = 10 ** math.floor(math.log10(number))
    return float(f"{next(n for n in (1, 2, 5, 10) if n * power >= number) * power:.1g}")


def rays(
    scene: Scene, size: int, turn: float = TURN, tilt: float = TILT
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The eye and the rays from it through the pixels, row by row from the top.

    Returns:
        The eye ``(3,)``, its directions to the right, up and forward ``(3, 3)``, and
        the rays ``(size**2, 3)``, all of length 1.
    """
    right = np.array([-math.sin(turn), math.cos(turn), 0.0])
    back = np.array(
        [
            math.cos(tilt) * math.cos(turn),
            math.cos(tilt) * math.sin(turn),
            math.sin(tilt),
        ]
    )
    up = np.cross(back, right)
    places = ((np.arange(size) + 0.5) / size * 2 - 1) * WIDE
    through = -back + places[None, :, None] * right - places[:, None, None] * up
    through = through.reshape(-1, 3)
    through /= np.linalg.norm(through, axis=1, keepdims=True)
    eye = scene.middle + AWAY * scene.radius * back
    return eye, np.stack([right, up, -back]), through


def trace(
    model: nn.Module, scene: Scene, eye: np.ndarray, through: np.ndarray
) -> np.ndarray:
    """How far each ray goes from the eye to the surface: ``(N,)``, NaN for never.

    Where the shape reaches beyond the box, a ray ends on the box.

    Args:
        eye: ``(3,)``.
        through: ``(N, 3)``, of length 1.
    """
    with np.errstate(divide="ignore"):
        ends = (np.stack([scene.low, scene.high])[:, None] - eye) / through
    depth, far = ends.min(0).max(1), ends.max(0).min(1)
    going, found = depth < far, np.zeros(len(through), bool)
    first = True
    for _ in range(STEPS):
        (rows,) = going.nonzero()
        if not len(rows):
            break
        points = torch.from_numpy(eye + depth[rows, None] * through[rows])
        values = values_at(model, points)[:, 0].double().numpy()
        # Below 0 at once: there the box has cut the shape.
        found[rows] = (np.abs(values) < scene.tolerance) | (first & (values < 0))
        depth[rows] += np.where(found[rows], 0, values / scene.bound)
        going[rows] = ~found[rows] & (depth[rows] < far[rows])
        first = False
    return np.where(found, depth, np.nan)


def shaded(
    model: Siren, scene: Scene, size: int, turn: float = TURN, tilt: float = TILT
) -> np.ndarray:
    """The shape as `rays` see it, lit from the upper left, on white.

    Returns:
        Red, green and blue from 0 to 1, ``(size, size, 3)``.
    """
    eye, axes, through = rays(scene, size, turn, tilt)
    depth = trace(model, scene, eye, through)
    seen = np.isfinite(depth)
    colors = np.ones((size**2, 3))
    if seen.any():
        points = torch.from_numpy(eye + depth[seen, None] * through[seen])
        normals = evaluate(model, points)[1].double().numpy()
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        away = (normals * through[seen]).sum(1, keepdims=True) > 0
        light = np.array([-0.5, 0.7, -1.0]) @ axes
        light /= np.linalg.norm(light)
        bright = (np.where(away, -normals, normals) @ light).clip(0)
        colors[seen] = np.outer(0.3 + 0.7 * bright, COLOR)
    return colors.reshape(size, size, 3)
