"""Five networks learn the reader's own picture in the page, one against another."""

import math

from ..images import to_pixels
from ..signals import Signal
from .frame import LiveOutput, base64_floats, png
from .own_picture import square_picture

SIDE = 64  # what the sizes and the rates of the networks are chosen for


def race_here(picture: Signal, *, alt: str, seconds: float = 10) -> LiveOutput:
    """A sine network, FINER, Fourier features, a hash grid and ReLU in a race.

    They are the networks of ``benchmarks/contenders.py`` made small, with about 4,420
    parameters each. The page itself computes, each network in a worker, with all pixels
    in each step and with Adam. They take turns, and each has a clock that runs while it
    computes. The reader drops a picture of their own on it, which stays on their
    computer. Where scripts do not run, the picture stands alone.

    Args:
        picture: what is learned at first: gray, 64 by 64 pixels, such as
            ``cameraman(64)``.
        alt: what it shows, in a sentence.
        seconds: how long each network computes.

    Raises:
        ValueError: the picture is of another kind, or the seconds are not positive.

    Source: the page of the race.
    """
    picture = square_picture(picture, (SIDE, SIDE))
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"seconds must be a positive number, not {seconds}")
    spec = {"values": base64_floats(picture.values.numpy()), "seconds": seconds}
    enlarged = to_pixels(picture.array()).repeat(4, axis=0).repeat(4, axis=1)
    return LiveOutput("race_here", spec, png(enlarged), alt)
