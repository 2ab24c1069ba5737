"""A picture that is a link: a small network as the last part of an address.

The weights are rounded to 8 bits, those of the first layer to 16: omega_0 multiplies
its rounding errors, and every later layer sees them. The bytes are, in little-endian
order:

- ``4 B``: the format's version, the channels, ``hidden_layers``, and 1 where the last
  layer is linear;
- ``3 H``: ``hidden_features``, and the picture's rows and columns;
- ``8 f``: ``first_omega_0``, ``hidden_omega_0``, the two ends of the value range, and
  the first and last coordinate of the rows and of the columns;
- for each layer the matrix and then the bias, each as ``f``, the size of a step, and as
  many whole numbers of steps;
- ``I``: the CRC-32 of all of them.

The text is ``siren-`` and these bytes in base64url. ``viewer/links.js`` reads and
writes the same.
"""

import base64
import binascii
import copy
import itertools
import math
import re
import struct
import zlib

import numpy as np
import torch

from .arguments import whole_number
from .files import FARTHEST, SavedNetwork
from .quilt import Quilt
from .signals import LARGEST, Signal
from .siren import Siren

MARK = "siren-"
VERSION = 1
LONGEST = 8_000  # characters: programs that pass on longer addresses cut some
WIDEST = 255  # units, as the page draws them, and so many layers
HEADER = struct.Struct("<4B3H8f")
CHECKSUM = struct.Struct("<I")
STEP = struct.Struct("<f")
BITS, FIRST_BITS = 8, 16
TEXT = re.compile(r"[A-Za-z0-9_-]+")


def to_link(
    network: Siren | SavedNetwork, signal: Signal | None = None, *, base: str = ""
) -> str:
    """A small network of a picture, as an address.

    Args:
        network: two coordinates, 1 to 3 outputs, some 6,000 weights at most; or what
            `load` returns.
        signal: the picture that a bare `Siren` was fitted to.
        base: the address of the book's page of pictures; empty gives what stands
            behind its ``#``.

    Raises:
        ValueError: the network is of another kind, too large, or not finite, or the
            signal is missing.

    Source: chapter 1, where the rounding is measured.
    """
    if not isinstance(network, SavedNetwork):
        if not isinstance(signal, Signal):
            raise ValueError(
                "to_link() needs the signal that the network was fitted to, or what "
                "load() returns"
            )
        frame = signal.shape, signal.value_range, signal.corners()
        network = SavedNetwork(network, *frame)
    _require_picture(network)
    content = _header(network) + b"".join(_packed(network.model))
    content += CHECKSUM.pack(zlib.crc32(content))
    text = base64.urlsafe_b64encode(content).decode().rstrip("=")
    return f"{base}#{MARK}{text}" if base else f"{MARK}{text}"


def from_link(link: str) -> SavedNetwork:
    """The network in an address that `to_link` made, or in what stands behind its #.

    Raises:
        ValueError: it is none, it is damaged, or it is of a newer version.
    """
    text = link.strip().rpartition("#")[2]
    if not text.startswith(MARK) or not TEXT.fullmatch(text):
        raise ValueError(
            f"there is no picture in this link: behind its # stands {MARK} and then "
            "letters, digits, - and _"
        )
    if len(text) > LONGEST:
        raise ValueError(
            f"the link has {len(text):,} characters, and at most {LONGEST:,} are read"
        )
    content = _bytes_of(text.removeprefix(MARK))
    if content[0] != VERSION:
        raise ValueError(
            f"the link is of version {content[0]}, and this sirenlib reads version "
            f"{VERSION}: take a newer one"
        )
    return _read(content)


def quantized(model: Siren, bits: int = BITS) -> Siren:
    """A copy whose weights are rounded as in a link, to so many bits; those of the
    first layer to 16.

    Args:
        bits: 2 to 16. Of each matrix and each bias the largest number is kept.

    Source: chapter 1.
    """
    if not 2 <= whole_number("bits", bits, 2) <= FIRST_BITS:
        raise ValueError(f"bits must be from 2 to {FIRST_BITS}, not {bits}")
    model = copy.deepcopy(model)
    with torch.no_grad():
        for i, weight in enumerate(model.parameters()):
            step, counts = _rounded(weight, FIRST_BITS if i < 2 else bits)
            weight.copy_(torch.from_numpy(counts * float(step)).reshape(weight.shape))
    return model


def _rounded(weight: torch.Tensor, bits: int) -> tuple[np.float32, np.ndarray]:
    """The size of a step, and how many of them are nearest to each number."""
    top = 2 ** (bits - 1) - 1
    numbers = weight.detach().cpu().double().numpy().ravel()
    step = np.float32(np.abs(numbers).max() / top)
    if not step:
        return step, np.zeros(len(numbers))
    return step, np.clip(np.floor(numbers / float(step) + 0.5), -top, top)


def _packed(model: Siren) -> list[bytes]:
    parts = []
    for i, weight in enumerate(model.parameters()):
        step, counts = _rounded(weight, FIRST_BITS if i < 2 else BITS)
        parts += [STEP.pack(step), counts.astype("<i2" if i < 2 else "i1").tobytes()]
    return parts


def _sizes(widths: list[int]) -> list[tuple[int, ...]]:
    """The shape of each matrix and each bias, in order."""
    layers = [((n, m), (n,)) for m, n in itertools.pairwise(widths)]
    return [size for both in layers for size in both]


def _byte_count(sizes: list[tuple[int, ...]]) -> int:
    numbers = sum(math.prod(size) for size in sizes)
    numbers += sum(math.prod(size) for size in sizes[:2])  # two bytes each
    return HEADER.size + STEP.size * len(sizes) + numbers + CHECKSUM.size


def _require_picture(network: SavedNetwork) -> None:
    model = network.model
    if isinstance(model, Quilt):
        raise ValueError(
            "a quilt is many networks, too many for a link: fit a single small one, "
            "with `--network siren --width 24`"
        )
    if not isinstance(model, Siren):
        raise ValueError(f"a link holds a Siren, not {type(model).__name__}")
    two = model.in_features == 2 and len(network.shape) == 2
    if not two or model.out_features > 3:
        raise ValueError(
            f"the network maps {model.in_features} coordinates to "
            f"{model.out_features} outputs: a picture has 2 coordinates and 1 to 3 "
            "outputs"
        )
    sizes = [tuple(weight.shape) for weight in model.parameters()]
    length = len(MARK) + math.ceil(_byte_count(sizes) * 4 / 3)
    if length > LONGEST or max(model.hidden_features, model.hidden_layers) > WIDEST:
        raise ValueError(
            f"the link would have {length:,} characters, and {LONGEST:,} are the most: "
            "fit a smaller network, with `--network siren --width 24`"
        )
    if not all(torch.isfinite(weight.float()).all() for weight in model.parameters()):
        raise ValueError("the network has weights that are not finite: fit it again")


def _header(network: SavedNetwork) -> bytes:
    model, shape, value_range, window, _ = network
    if max(shape) > LARGEST:
        raise ValueError(f"the picture has {shape} pixels: a side has up to {LARGEST}")
    floats = np.float32(
        [model.first_omega_0, model.hidden_omega_0, *value_range, *sum(window, ())]
    )
    if not _makes_sense(*floats.tolist()):
        raise ValueError(
            f"the range {value_range} or the window {window} is lost in 32 bits, which "
            "a link has for them: fit the picture with values from -1 to 1"
        )
    kind = VERSION, model.out_features, model.hidden_layers, model.outermost_linear
    return HEADER.pack(*kind, model.hidden_features, *shape, *floats)


def _makes_sense(first: float, hidden: float, low: float, high: float, *ends) -> bool:
    good = 0 < first < FARTHEST and 0 < hidden < FARTHEST and low < high
    return good and all(abs(edge) < FARTHEST for edge in (low, high, *ends))


def _bytes_of(text: str) -> bytes:
    """What the text stands for, if the checksum at its end is right."""
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        content = b""
    good = len(content) > HEADER.size + CHECKSUM.size
    if not good or CHECKSUM.pack(zlib.crc32(content[:-4])) != content[-4:]:
        raise ValueError(
            "the link is damaged, a part of it is missing or changed: copy it again, "
            "all of it"
        )
    return content


def _read(content: bytes) -> SavedNetwork:
    _, channels, layers, linear, width, *rest = HEADER.unpack_from(content)
    rows, columns, first, hidden, low, high, *ends = rest
    sizes = _sizes([2, *[width] * (layers + 1), channels])
    good = 1 <= channels <= 3 and 1 <= width <= WIDEST and linear < 2
    good = good and min(rows, columns) > 0 and len(content) == _byte_count(sizes)
    if not (good and _makes_sense(first, hidden, low, high, *ends)):
        raise ValueError("the link makes no sense: sirenlib did not write it")
    with torch.device("meta"):  # neither memory nor random numbers
        model = Siren(2, width, layers, channels, bool(linear), first, hidden)
    weights = _weights(content, sizes)
    names = list(model.state_dict())
    model.load_state_dict(dict(zip(names, weights, strict=True)), assign=True)
    window = tuple(ends[:2]), tuple(ends[2:])
    return SavedNetwork(model, (rows, columns), (low, high), window)


def _weights(content: bytes, sizes: list[tuple[int, ...]]) -> list[torch.Tensor]:
    place, weights = HEADER.size, []
    for i, size in enumerate(sizes):
        (step,) = STEP.unpack_from(content, place)
        if not 0 <= step < FARTHEST:
            raise ValueError("the link makes no sense: sirenlib did not write it")
        kind = np.dtype("<i2" if i < 2 else "i1")
        counts = np.frombuffer(content, kind, math.prod(size), place + STEP.size)
        numbers = np.float32(counts.astype(np.float64) * step)
        weights.append(torch.from_numpy(numbers.reshape(size)))
        place += STEP.size + counts.nbytes
    return weights
