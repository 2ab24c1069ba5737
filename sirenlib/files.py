"""Keeping a fitted network in a file, and drawing it again at any size."""

import contextlib
import math
import os
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .arguments import whole_number
from .environment import chunk_of
from .signals import Signal, grid_between
from .siren import Siren

NETWORK, CHECKPOINT = "sirenlib network 1", "sirenlib checkpoint 1"
SECONDS = 10.0  # between two writings of a checkpoint

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
        "architecture": model.architecture(),
        "weights": {name: w.cpu() for name, w in model.state_dict().items()},
        "shape": signal.shape,
        "value_range": signal.value_range,
        "window": tuple(zip(low, high, strict=True)),
    }
    _write(content, NETWORK, Path(path))


def load(path: str | Path) -> SavedNetwork:
    """Read what `save` wrote, onto the CPU. Nothing in the file is executed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or `save` did not write it.
    """
    with _reading(path, "network of sirenlib, or it is damaged: fit and save it again"):
        content = _read(path, NETWORK)
        weights = content["weights"]
        model = Siren(**content["architecture"])
        model.to(weights["net.0.linear.weight"].dtype).load_state_dict(weights)
        frame = (content[name] for name in SavedNetwork._fields[1:])
        return SavedNetwork(model, *frame)


class Checkpoint:
    """The file that keeps a fit, written whole or not at all.

    Args:
        path: None keeps nothing.
        fit: what tells the fit from every other, by name.
    """

    def __init__(self, path: str | Path | None, fit: dict | None):
        self.path, self.fit = path and Path(path), fit
        self.next_time = -math.inf

    def read(self) -> dict | None:
        """What the file holds; None where there is no file.

        Raises:
            ValueError: it is damaged, no checkpoint, or that of another fit.
        """
        if not self.path or not self.path.is_file():
            return None
        with _reading(self.path, "checkpoint, or it is damaged: give another path"):
            content = _read(self.path, CHECKPOINT)
            state, fit = content["state"], content["fit"]
            other = ", ".join(name for name in self.fit if fit[name] != self.fit[name])
        if other:
            raise ValueError(
                f"{self.path} is the checkpoint of a fit with another {other}: repeat "
                "that call, or give another path"
            )
        return state

    def due(self) -> bool:
        """Whether it is time to write."""
        return self.path is not None and time.monotonic() > self.next_time

    def write(self, state: dict) -> None:
        if self.path:
            _write({"fit": self.fit, "state": state}, CHECKPOINT, self.path)
            self.next_time = time.monotonic() + SECONDS


def checksum(*tensors: Tensor) -> int:
    """A number that differs when any of the tensors does."""
    number = 0
    for tensor in tensors:
        number = zlib.crc32(tensor.cpu().contiguous().numpy(), number)
    return number


def _write(content: dict, form: str, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            torch.save(content | {"format": form}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _read(path: str | Path, form: str) -> dict:
    with zipfile.ZipFile(path) as archive:
        if archive.testzip():
            raise ValueError("a checksum is wrong")
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or content["format"] != form:
        raise ValueError("another format")
    return content


@contextlib.contextmanager
def _reading(path: str | Path, kind: str) -> Iterator[None]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        yield
    except Exception as error:  # torch and pickle raise many kinds on damaged files
        raise ValueError(f"{path} is no {kind}") from error


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
    rows = max(1, chunk_of(device) // width)
    picture = []
    for first in range(0, height, rows):
        part = lines[first : first + rows]
        coords = torch.cat([grid_between([(y, y, 1), columns]) for y in part])
        picture.append(model(coords.to(device)).cpu().reshape(len(part), width, -1))
    return torch.cat(picture)
