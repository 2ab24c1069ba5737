"""State dicts of any network: reading their files, finding the linear maps in them.

Nothing in a file is executed. A ``.pt`` file is read with ``weights_only=True``, a
``.npz`` file without pickles, and ``.safetensors`` by the few lines below.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

LARGEST_HEADER = 100_000_000  # of a .safetensors file, as in its format
KINDS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
BIAS = {"weight": "bias", "kernel": "bias", "W": "b", "w": "b"}
LATE = re.compile(r"(?i)last|final|out|head")
EARLY = re.compile(r"(?i)first|^pe\.|embed")


@dataclass(frozen=True)
class LinearMap:
    """One linear map of a network; of a quilt, those of all its tiles.

    Shape:
        - weight: ``(tiles, out_features, in_features)``, float64
        - bias: ``(tiles, out_features)``, float64, or None

    ``epsilon`` is the relative rounding error of the numbers as they were stored.
    """

    name: str
    weight: np.ndarray
    bias: np.ndarray | None
    epsilon: float

    @property
    def in_features(self) -> int:
        return self.weight.shape[2]

    @property
    def out_features(self) -> int:
        return self.weight.shape[1]


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The floating-point arrays in a file, by name, in its order.

    Args:
        path: a ``.pt`` or ``.pth`` file of ``torch.save``, ``.safetensors``, ``.npz``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, of another kind, or holds more than arrays.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    readers = {".safetensors": _read_safetensors, ".npz": _read_npz}
    read = readers.get(path.suffix.lower(), read_torch)
    try:
        content = read(path)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # torch, zipfile and json raise many kinds
        raise ValueError(
            f"{path} cannot be read as a state dict: save one with "
            "torch.save(model.state_dict(), path), as .safetensors, or as .npz. "
            f"({error})"
        ) from error
    return flattened(content)


def flattened(content: Mapping, prefix: str = "") -> dict[str, Tensor]:
    """The floating-point arrays of nested dicts; names are joined with dots."""
    found = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{prefix}{name}.")
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            found[f"{prefix}{name}"] = torch.from_numpy(np.ascontiguousarray(value))
        elif isinstance(value, Tensor) and value.is_floating_point():
            found[f"{prefix}{name}"] = value.detach().cpu()
    return found


def read_torch(path: str | Path) -> Mapping:
    """What ``torch.save`` has written, a dict, or an error of many kinds."""
    with zipfile.ZipFile(path) as archive:  # older files are bare pickles
        if archive.testzip():
            raise ValueError("a checksum is wrong")
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__}, no dict")
    return content


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """8 bytes with the length of a JSON text, the text, and the numbers."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(len(content) - 8, LARGEST_HEADER):
        raise ValueError("its header is longer than the file")
    found, header = {}, json.loads(content[8 : 8 + length])
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in KINDS:
            continue
        start, end = (8 + length + int(edge) for edge in entry["data_offsets"])
        numbers = torch.frombuffer(
            bytearray(content[start:end]), dtype=KINDS[entry["dtype"]]
        )
        found[name] = numbers.reshape(entry["shape"])
    return found


def linear_maps(state: Mapping[str, Tensor]) -> list[LinearMap]:
    """The linear maps of a network, from the coordinates to its output.

    A weight has two axes, or three in a quilt. Its bias is found by name, or as the
    next array of fitting length. The order is that of the file, if each map's output
    fits the next one's input, and otherwise that of the names.

    Raises:
        ValueError: there is no such chain, or a number is not finite.
    """
    weights = [name for name, array in state.items() if array.dim() in (2, 3)]
    weights = [name for name in weights if not _is_tiled_bias(state, name)]
    named = [name for name in weights if _last(name) in BIAS]
    weights = named or weights
    for order in _orders(weights):
        for transposed in (False, True):
            shapes = [_shape(state[name], transposed) for name in order]
            chained = all(a[0] == b[1] for a, b in pairwise(shapes))
            biases = _biases(state, order, shapes)
            if len(order) >= 2 and chained and biases is not None:
                return [
                    _map(state, name, bias, transposed)
                    for name, bias in zip(order, biases, strict=True)
                ]
    raise ValueError(
        f"the {len(weights)} matrices make no chain of linear maps, in which each "
        "takes what the one before gives: give the state dict of one plain network"
    )


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _is_tiled_bias(state: Mapping[str, Tensor], name: str) -> bool:
    return state[name].dim() == 3 and _last(name) in BIAS.values()


def _orders(names: list[str]) -> Iterator[list[str]]:
    yield names
    natural = sorted(names, key=_natural)
    yield natural
    yield sorted(
        natural, key=lambda name: bool(LATE.search(name)) - bool(EARLY.search(name))
    )


def _natural(name: str) -> list:
    """Numbers in names by their size: layer 10 comes after layer 9."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)]


def _shape(weight: Tensor, transposed: bool) -> tuple[int, int]:
    """out_features and in_features. The matrices of a quilt lie the other way round."""
    rows, columns = weight.shape[-2:]
    return (columns, rows) if transposed != (weight.dim() == 3) else (rows, columns)


def _biases(
    state: Mapping[str, Tensor], order: list[str], shapes: list[tuple[int, int]]
) -> list[str | None] | None:
    """The names of the biases; None where one has a wrong length."""
    names, found = list(state), []
    for name, (out_features, _) in zip(order, shapes, strict=True):
        stem, last = name[: len(name) - len(_last(name))], _last(name)
        bias = stem + BIAS.get(last, "")
        if last not in BIAS:
            following = names[names.index(name) + 1 :][:1]
            bias = following[0] if following else ""
            if bias in state and state[bias].dim() != 1:
                bias = ""
        if bias not in state:
            found.append(None)
        elif state[bias].shape[-1] == out_features:
            found.append(bias)
        else:
            return None
    return found


def _map(
    state: Mapping[str, Tensor], name: str, bias: str | None, transposed: bool
) -> LinearMap:
    weight = state[name]
    epsilon = max(2 * torch.finfo(weight.dtype).eps, 1e-6)
    if transposed != (weight.dim() == 3):
        weight = weight.transpose(-1, -2)
    matrix = weight.double().numpy()
    matrix = matrix if matrix.ndim == 3 else matrix[None]
    vector = None
    if bias is not None:
        vector = state[bias].double().numpy().reshape(len(matrix), -1)
    for array in (matrix, vector):
        if array is not None and not np.isfinite(array).all():
            raise ValueError(f"{name} or its bias holds NaN or infinite numbers")
    return LinearMap(name, matrix, vector, epsilon)
