"""A sine network that is trained in the page, on the reader's own picture."""

import numpy as np
import torch

from ..arguments import whole_number
from ..fitting import fit
from ..images import to_pixels
from ..signals import Signal
from ..siren import Siren
from .frame import LiveOutput, base64_floats, color_tables, png
from .own_picture import square_picture

SIDES = (16, 128)
STEPS = 100  # of the fit that is shown where scripts do not run


def train_here(
    picture: Signal, *, alt: str, omega_0: int = 30, page: str | None = None
) -> LiveOutput:
    """A network 2-64-64-1 that learns a picture while the reader looks on.

    The page itself computes, in a worker: plain JavaScript, full batches, Adam. The
    reader drops a picture of their own on it, which stays on their computer; changes
    omega_0; sets a ReLU network beside it; and walks into what has been learned. Where
    scripts do not run, the picture stands beside a short fit to it.

    Args:
        picture: what is learned at first: square and gray, 16 to 128 pixels a side,
            such as ``cameraman(64)``.
        alt: what the two show, in a sentence.
        omega_0: that of the first layer at the start, 1 to 200.
        page: the address of a page with ``view_link``; with it there is a button for a
            link to what has been learned.

    Raises:
        ValueError: the picture is of another kind, or omega_0 is out of range.

    Source: the first page of the book; chapters 1 and 9 for what it does.
    """
    picture = square_picture(picture, SIDES)
    if whole_number("omega_0", omega_0, 1) > 200:
        raise ValueError(f"omega_0 must be at most 200, not {omega_0}")
    side = picture.shape[0]
    spec = {
        "side": side,
        "values": base64_floats(picture.values.numpy()),
        "omega_0": omega_0,
        "page": page,
        "colors": color_tables(),
    }
    both = [picture.array(), np.ones((side, 4)), _fitted(picture, omega_0)]
    small = to_pixels(np.concatenate(both, axis=1))
    enlarged = small.repeat(256 // side, axis=0).repeat(256 // side, axis=1)
    return LiveOutput("train_here", spec, png(enlarged), alt)


def _fitted(picture: Signal, omega_0: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    model = Siren(2, 64, 1, 1, first_omega_0=omega_0, generator=generator)
    points = len(picture.coords)
    fit(model, picture, epochs=STEPS, batch_size=points, lr=2e-3, generator=generator)
    with torch.inference_mode():
        return model(picture.coords).numpy().reshape(picture.shape)
