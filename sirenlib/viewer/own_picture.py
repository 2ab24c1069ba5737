"""A picture that the page learns, until the reader brings one of their own."""

import torch

from ..signals import Signal, coordinate_grid
from .frame import require_finite


def square_picture(picture: Signal, sides: tuple[int, int]) -> Signal:
    """The picture in 32 bits, if it is one that the scripts know.

    Args:
        picture: square and gray, with values in (-1, 1).
        sides: the fewest and the most pixels that a side may have.

    Raises:
        ValueError: the picture is of another kind.
    """
    if not isinstance(picture, Signal):
        raise ValueError(
            f"picture must be a Signal, not {type(picture).__name__}: make one with "
            "cameraman(64) or image_signal(file)"
        )
    channels, side = picture.values.shape[1], picture.shape[0]
    if picture.shape != (side, side) or channels != 1:
        raise ValueError(
            f"the picture has shape {picture.shape} and {channels} channels: crop it "
            "to a square and take its mean over the colors"
        )
    low, high = sides
    if not low <= side <= high:
        allowed = f"{low} to {high}" if low < high else low
        raise ValueError(
            f"the picture has {side} pixels a side: give it {allowed}, "
            "for instance with image_signal(picture, size=64)"
        )
    require_finite("the picture", picture.values.cpu())
    coords, grid = picture.coords.float().cpu(), coordinate_grid(side, side)
    if picture.value_range != (-1, 1) or not torch.allclose(coords, grid):
        raise ValueError(
            "the picture must have values in (-1, 1) and the coordinates of "
            "coordinate_grid(side, side), as image_signal(picture) gives them"
        )
    if picture.weights is not None:
        raise ValueError("the picture has weights, which the page does not know")
    return Signal(grid, picture.values.float().cpu(), picture.shape)
