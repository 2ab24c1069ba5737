"""Keeping a fitted network in a file, and drawing it again at any size."""

import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .arguments import whole_number
from .signals import Signal, grid_between
from .siren import Siren

FORMAT = "sirenlib network 1"
CHUNK = 4096  # points that are evaluated at a time

Window = tuple[tuple[float, float], ...]


class SavedNetwork(NamedTuple):
    """What a file holds: the network and how to read it.

    ``window`` has the first and the last coordinate of each axis, as they were fitted,
    so that ``render(model, *shape, window=window)`` is the picture that was learned.
    """

    model: Siren
    shape: tuple[int, ...]
    value_range: tuple[float, float]
    window: Window


def save(model: Siren, path: str | Path, signal: Signal) -> None:
    """Write a network and the frame of the signal that it was fitted to.

    The file appears whole or not at all. It holds weights and numbers, no code.

    Raises:
        ValueError: the model is not a `Siren`.
        OSError: the file cannot be written.
    """
    if not isinstance(model, Siren):
        raise ValueError(
            f"save() writes a Siren, not {type(model).__name__}: use torch.save for "
            "other networks"
        )
    low, high = signal.coords.amin(0).tolist(), signal.coords.amax(0).tolist()
    content = {
        "format": FORMAT,
        "architecture": model.architecture(),
        "weights": {name: w.cpu() for name, w in model.state_dict().items()},
        "shape": signal.shape,
        "value_range": signal.value_range,
        "window": tuple(zip(low, high, strict=True)),
    }
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        torch.save(content, part)
        os.replace(part, path)
    except RuntimeError as error:  # torch's word for a folder that is not there
        raise OSError(f"{path} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def load(path: str | Path) -> SavedNetwork:
    """Read what `save` wrote, onto the CPU. Nothing in the file is executed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or `save` did not write it.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or content["format"] != FORMAT:
            raise ValueError("another format")
        weights = content["weights"]
        model = Siren(**content["architecture"]).to(
            weights["net.0.linear.weight"].dtype
        )
        model.load_state_dict(weights)
        frame = (content[name] for name in SavedNetwork._fields[1:])
        return SavedNetwork(model, *frame)
    except Exception as error:  # torch and pickle raise many kinds on damaged files
        raise ValueError(
            f"{path} is no network of sirenlib, or it is damaged: fit and save it again"
        ) from error


@torch.inference_mode()
def render(
    model: Siren,
    height: int,
    width: int,
    window: Window = ((-1.0, 1.0), (-1.0, 1.0)),
) -> Tensor:
    """Evaluate a network of two coordinates on a grid of any size, in chunks.

    Args:
        window: first and last coordinate of the rows, then of the columns. Smaller
            than ((-1, 1), (-1, 1)) it zooms in.

    Returns:
        ``(height, width, c)`` on the CPU, as the network gives it: not clipped.
    """
    whole_number("height", height, 1)
    whole_number("width", width, 1)
    device = next(model.parameters()).device
    (top, bottom), (left, right) = window
    columns = (left, right, width)
    lines = torch.linspace(top, bottom, height).tolist()
    rows = max(1, CHUNK // width)
    picture = []
    for first in range(0, height, rows):
        part = lines[first : first + rows]
        coords = torch.cat([grid_between([(y, y, 1), columns]) for y in part])
        picture.append(model(coords.to(device)).cpu().reshape(len(part), width, -1))
    return torch.cat(picture)
