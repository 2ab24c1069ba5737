"""Keeping a fitted network in a file."""

import contextlib
import io
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .arguments import whole_number
from .evaluation import alike, sampled
from .quilt import Quilt
from .signals import Signal
from .siren import Siren
from .state_dicts import read_torch

NETWORK = "sirenlib network 1"
KINDS = {"Siren": Siren, "Quilt": Quilt}
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
FARTHEST = 1e30  # a coordinate whose distances are numbers in 32 bits


class SavedNetwork(NamedTuple):
    """What a file holds: the network and how to read it.

    ``window`` has the first and the last coordinate of each axis, as they were fitted,
    so that ``render(model, *shape, window=window)`` is the picture that was learned.
    ``rate`` is that of a sound, in samples a second.
    """

    model: Siren | Quilt
    shape: tuple[int, ...]
    value_range: tuple[float, float]
    window: tuple[tuple[float, float], ...]
    rate: int | None = None


def save(
    model: Siren | Quilt, path: str | Path, signal: Signal, *, rate: int | None = None
) -> None:
    """Write a network and the frame of the signal that it was fitted to.

    Args:
        rate: of a sound, in samples a second.

    The file appears whole or not at all. It holds weights and numbers, no code.

    Raises:
        ValueError: the model is no `Siren` and no `Quilt`, or it computes no longer
            what its arguments and weights make.
        OSError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> import sirenlib
        >>> signal = sirenlib.cameraman(16)
        >>> model = sirenlib.Siren.for_signal(signal, 16, 1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sirenlib.save(model, f"{folder}/network.pt", signal)
        ...     saved = sirenlib.load(f"{folder}/network.pt")
        >>> saved.shape, saved.window
        ((16, 16), ((-1.0, 1.0), (-1.0, 1.0)))
    """
    kind = next((name for name, each in KINDS.items() if isinstance(model, each)), None)
    if kind is None:
        raise ValueError(
            f"save() writes a Siren or a Quilt, not {type(model).__name__}: use "
            "torch.save for other networks"
        )
    weights = {name: w.detach().cpu() for name, w in model.state_dict().items()}
    content = {
        "kind": kind,
        "architecture": model.architecture(),
        "weights": weights,
        "shape": signal.shape,
        "value_range": signal.value_range,
        "window": signal.corners(),
        "rate": None if rate is None else whole_number("rate", rate, 1),
    }
    try:
        _require_equal(model, _network(content).model, signal.coords)
    except Exception as error:
        raise ValueError(
            "save() writes a network as its arguments make it, and this one has been "
            f"changed: use torch.save for it. ({error})"
        ) from error
    write_whole(Path(path), content | {"format": NETWORK})


def _require_equal(model: nn.Module, again: nn.Module, coords: Tensor) -> None:
    """Raise a ValueError where what is read again would be another function."""
    if str(model.net) != str(again.net):
        raise ValueError("it has other layers")
    if not alike(sampled(again, coords), sampled(model, coords)):
        raise ValueError("it gives other values")


def load(path: str | Path) -> SavedNetwork:
    """Read what `save` wrote, onto the CPU. Nothing in the file is executed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or `save` did not write it.
    """
    kind = "network of sirenlib, or it is damaged: fit and save it again"
    with reading(path, kind), torch.inference_mode(False):
        return _network(read_whole(path, NETWORK))


def _network(content: dict) -> SavedNetwork:
    """The network that the content describes, or an error of some kind."""
    weights = content["weights"]
    with torch.device("meta"):  # neither memory nor random numbers
        # A file from before there were quilts names no kind.
        kind = KINDS[content.get("kind", "Siren")]
        model = kind(**_bounded(content["architecture"], weights))
    wanted = {name: w.shape for name, w in model.state_dict().items()}
    if wanted != {name: w.shape for name, w in weights.items()}:
        raise ValueError("the weights have other names or shapes")
    kinds = {(w.dtype, w.device.type, w.layout) for w in weights.values()}
    if kinds not in [{(dtype, "cpu", torch.strided)} for dtype in DTYPES]:
        raise ValueError("the weights are not of one floating type")
    model.load_state_dict(weights, assign=True)
    shape = tuple(int(length) for length in content["shape"])
    low, high = (float(edge) for edge in content["value_range"])
    window = tuple((float(first), float(last)) for first, last in content["window"])
    near = all(abs(edge) < FARTHEST for pair in window for edge in pair)
    good_range = low < high and math.isfinite(high - low)
    if not (shape and min(shape) > 0 and good_range and near):
        raise ValueError("the frame makes no sense")
    if len(window) != model.in_features:
        raise ValueError("the frame has another number of coordinates")
    rate = content.get("rate")  # older files have none
    rate = None if rate is None else whole_number("rate", rate, 1)
    return SavedNetwork(model, shape, (low, high), window, rate)


def _bounded(architecture: dict, weights: dict) -> dict:
    """The arguments, if there are weights for so many layers: each costs time."""
    if architecture["hidden_layers"] > len(weights):
        raise ValueError("there are weights for fewer layers")
    return architecture


def write_whole(path: Path, content: dict) -> None:
    """Write what ``torch.save`` makes of it; the file appears whole or not at all.

    Raises:
        OSError: the file cannot be written. What was there before is still there.
    """
    # Through a buffer: where a disk is full, torch's own writer hides the OSError.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    replace_file(path, buffer.getbuffer())


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that there is the old one or the new one, whole, at any time.

    Raises:
        OSError: it cannot be written. What was there before is still there.
    """
    path = path.resolve()  # a link stays a link
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_whole(path: str | Path, form: str) -> dict:
    """What `write_whole` wrote in that format, or an error of many kinds."""
    content = read_torch(path)
    if content["format"] != form:
        raise ValueError("another format")
    return content


@contextlib.contextmanager
def reading(path: str | Path, kind: str) -> Iterator[None]:
    """Turn whatever a damaged file raises into a ValueError that names the file."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        yield
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # torch and pickle raise many kinds on damaged files
        raise ValueError(f"{path} is no {kind}") from error
