"""Sliders for a figure, where a kernel is alive to draw it again."""

import base64
import functools
import inspect
from collections.abc import Callable

from matplotlib.figure import Figure

from ..environment import in_book
from .frame import figure_png


class Explored:
    """What `explore` returns: sliders and a figure, or the figure alone."""

    def __init__(self, picture: bytes, box=None):
        self.picture, self.box = picture, box

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        bundle = {
            "image/png": base64.b64encode(self.picture).decode(),
            "text/plain": "the figure at its first values",
        }
        if self.box is not None:
            view = {"version_major": 2, "version_minor": 0}
            view["model_id"] = self.box.model_id
            bundle["application/vnd.jupyter.widget-view+json"] = view
        return bundle


def explore(function: Callable[..., Figure], **sliders: tuple) -> Explored:
    """A figure with sliders for what it depends on.

    In JupyterLab and in Colab the figure is drawn again when a slider is let go. On a
    page without a kernel, and while the book is made, it stands there at its first
    values.

    Args:
        function: draws and returns a figure. Each of its arguments has a default, the
            first value.
        sliders: for each of them ``(smallest, largest)`` or ``(smallest, largest,
            step)``.

    Raises:
        ValueError: a slider has no argument, or a first value lies outside.
        ModuleNotFoundError: ipywidgets, which draws the sliders, is not installed.

    Source: chapter 9.
    """
    first = _first_values(function, sliders)
    picture = figure_png(function(**first), colors=None)
    if in_book():
        return Explored(picture)
    try:
        import ipywidgets  # not needed for anything else
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "explore() has its sliders from ipywidgets, which is not installed: "
            "pip install ipywidgets"
        ) from None

    place = {"align_self": "flex-start", "max_width": "100%"}  # in its own size
    image = ipywidgets.Image(value=picture, format="png", layout=place)

    @functools.wraps(function)
    def redraw(**values) -> None:
        image.value = figure_png(function(**values), colors=None)

    box = ipywidgets.interactive(redraw, **sliders)
    for control in box.kwargs_widgets:
        control.continuous_update = False
    box.children = (*box.kwargs_widgets, image)
    return Explored(picture, box)


def _first_values(function: Callable, sliders: dict[str, tuple]) -> dict:
    parameters = inspect.signature(function).parameters
    first = {}
    for name, limits in sliders.items():
        if (
            name not in parameters
            or parameters[name].default is inspect.Parameter.empty
        ):
            raise ValueError(
                f"the function has no argument {name}=... with a default: its default "
                "is where the slider begins"
            )
        first[name] = parameters[name].default
        if len(limits) not in (2, 3) or not limits[0] <= first[name] <= limits[1]:
            raise ValueError(
                f"{name}={limits!r} must be (smallest, largest) or (smallest, largest, "
                f"step), with the first value {first[name]} between them"
            )
    return first
