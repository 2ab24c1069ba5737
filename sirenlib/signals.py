"""Pictures and other signals as pairs of coordinates and values."""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from .arguments import whole_number

LARGEST = 65_535  # pixels along a side, as in a JPEG file


@dataclass(frozen=True)
class Signal:
    """Samples of a function: at ``coords[i]`` it has the value ``values[i]``.

    Args:
        coords: ``(N, d)``, floating point. In a picture ``coords[:, 0]`` is the row.
        values: ``(N, c)``, floating point, inside ``value_range``.
        shape: lengths of the grid's axes, row by row, with product N.
        value_range: smallest and largest possible value; `psnr` is relative to it.

    Raises:
        ValueError: naming the argument and what is wrong with it.
    """

    coords: Tensor
    values: Tensor
    shape: tuple[int, ...]
    value_range: tuple[float, float] = (-1.0, 1.0)

    def __post_init__(self):
        for name in ("coords", "values"):
            _require_finite_table(name, getattr(self, name))
        shape = tuple(whole_number("every length in shape", n, 1) for n in self.shape)
        low, high = (float(edge) for edge in self.value_range)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "value_range", (low, high))
        if len(self.coords) != len(self.values):
            raise ValueError(
                f"coords has {len(self.coords)} rows and values has "
                f"{len(self.values)}: give one value to each coordinate"
            )
        if math.prod(self.shape) != len(self.coords):
            raise ValueError(
                f"shape {tuple(self.shape)} has {math.prod(self.shape)} points, "
                f"coords has {len(self.coords)}: the product must be the number of rows"
            )
        if not (low < high and math.isfinite(high - low)):
            raise ValueError(
                f"value_range ({low}, {high}) must be two finite numbers, low first"
            )
        if self.values.min() < low or self.values.max() > high:
            raise ValueError(
                f"values go from {self.values.min():.4g} to {self.values.max():.4g}, "
                f"outside value_range {self.value_range}: scale them or widen the range"
            )

    @property
    def data_range(self) -> float:
        """The peak that the PSNR refers to, high minus low."""
        return self.value_range[1] - self.value_range[0]

    def array(self) -> np.ndarray:
        """The values on their grid: ``shape``, and ``shape + (c,)`` for c > 1."""
        channels = self.values.shape[1]
        shape = self.shape if channels == 1 else (*self.shape, channels)
        return self.values.cpu().numpy().reshape(shape)

    def to(self, device: torch.device | str) -> "Signal":
        """The same signal on another device."""
        coords, values = self.coords.to(device), self.values.to(device)
        return Signal(coords, values, self.shape, self.value_range)


def _require_finite_table(name: str, table: Tensor) -> None:
    if not isinstance(table, Tensor) or not table.is_floating_point():
        kind = getattr(table, "dtype", type(table).__name__)
        raise ValueError(f"{name} must be a floating-point tensor, not {kind}")
    if table.ndim != 2 or table.numel() == 0:
        raise ValueError(
            f"{name} must have shape (N, channels) and N > 0, not {tuple(table.shape)}"
        )
    extremes = torch.stack(table.aminmax())  # NaN spreads to both, without a copy
    if not extremes.isfinite().all():
        bad = int((~table.isfinite()).sum())
        raise ValueError(f"{name} holds {bad} NaN or infinite entries: remove them")


def coordinate_grid(
    *shape: int, centers: bool = False, keep_aspect: bool = False
) -> Tensor:
    """Coordinates of a grid, row by row, in ``[-1, 1]``.

    Args:
        shape: points along each axis, for example ``(height, width)``.
        centers: the centers of N cells that tile [-1, 1] instead of N points from
            -1 to 1, end to end (the paper's choice and the default).
        keep_aspect: only the longest axis spans [-1, 1] and the others less, in
            proportion. By default every axis spans [-1, 1] on its own, so that a
            pixel of a wide picture is wider than it is high.

    Returns:
        ``(prod(shape), len(shape))``, float32; column 0 is the first axis.
    """
    sizes = [whole_number(f"shape[{i}]", size, 2) for i, size in enumerate(shape)]
    if not sizes:
        raise ValueError("shape is empty: give at least one number of points")
    axes = []
    for size in sizes:
        extent = size / max(sizes) if keep_aspect else 1.0
        edge = extent * (1 - 1 / size) if centers else extent
        axes.append((-edge, edge, size))
    return grid_between(axes)


def grid_between(axes: list[tuple[float, float, int]]) -> Tensor:
    """The grid with (first, last, count) for each axis: ``(points, axes)``."""
    lines = [torch.linspace(first, last, count) for first, last, count in axes]
    return torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).flatten(0, -2)


def image_signal(
    picture: np.ndarray | str | Path,
    size: int | None = None,
    *,
    centers: bool = False,
    keep_aspect: bool = False,
) -> Signal:
    """A picture as a signal: values in [-1, 1], one channel (gray) or three (RGB).

    Args:
        picture: a file of any still format that Pillow reads, or an array
            ``(H, W)`` or ``(H, W, channels)`` with gray or RGB, and alpha last:
            unsigned integers over their full range, or floats in [0, 1].
            Transparency is laid on white; a file's EXIF rotation is applied.
        size: pixels of the longer side after anti-aliased resizing; the aspect
            stays. None keeps every pixel.
        centers, keep_aspect: as in `coordinate_grid`.

    Raises:
        ValueError: what is wrong with the picture or the size, and what to do.
        OSError: the file cannot be read.
    """
    if size is not None:
        size = whole_number("size", size, 2)
        if size > LARGEST:
            raise ValueError(f"size must be at most {LARGEST}, not {size}")
    name = "the array"
    if isinstance(picture, (str, Path)):
        name, picture = Path(picture).name, _read(Path(picture))
    unit = _unit_range(np.asarray(picture), name)  # (H, W, c) in [0, 1]
    _require_two_pixels(unit, name)
    if size is not None:
        unit = _resize(unit, size)
        _require_two_pixels(unit, f"{name} at size {size}")
    height, width, channels = unit.shape
    coords = coordinate_grid(height, width, centers=centers, keep_aspect=keep_aspect)
    values = torch.from_numpy(unit * 2 - 1).float().reshape(-1, channels)
    return Signal(coords, values, (height, width))


def _require_two_pixels(unit: np.ndarray, name: str) -> None:
    height, width = unit.shape[:2]
    if min(height, width) < 2:
        raise ValueError(
            f"{name} is {width}x{height} pixels: a picture needs 2 on each side"
        )


def _read(path: Path) -> np.ndarray:
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the picture file itself")
    try:
        # Damage that matters is an error below; warnings would only double it.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            frames = getattr(image, "n_frames", 1)
            # An MPO file is a phone's photograph with its preview.
            if frames == 1 or image.format == "MPO":
                image.load()
                return np.asarray(_plain_mode(ImageOps.exif_transpose(image)))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file") from None
    except PermissionError:
        raise
    except Exception as error:  # Pillow's decoders raise errors of many kinds
        raise ValueError(
            f"{path.name} cannot be read as a picture: it is empty, damaged, or not a "
            f"picture. Open it in a viewer and save it as PNG. ({error})"
        ) from error
    raise ValueError(
        f"{path.name} has {frames} frames; sirenlib fits still pictures. "
        "Save one frame as PNG and try again."
    )


def _plain_mode(image: Image.Image) -> Image.Image:
    """Gray or RGB, with or without alpha: palettes, CMYK and the rest converted."""
    if image.mode == "I":  # how some Pillow versions give 16-bit gray files
        return Image.fromarray(np.asarray(image).clip(0, 65535).astype(np.uint16))
    gray = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        return image.convert("LA" if gray else "RGBA")
    if image.mode in ("L", "RGB", "F") or image.mode.startswith("I;16"):
        return image
    return image.convert("L" if gray else "RGB")


def _unit_range(array: np.ndarray, name: str) -> np.ndarray:
    """The picture as float64 ``(H, W, 1 or 3)`` in [0, 1], transparency on white."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or array.size == 0:
        raise ValueError(
            f"{name} has shape {array.shape}; a picture is (H, W) or (H, W, channels) "
            "with gray or RGB, and alpha last"
        )
    if array.dtype == bool or np.issubdtype(array.dtype, np.unsignedinteger):
        top = 1 if array.dtype == bool else np.iinfo(array.dtype).max
        array = array.astype(np.float64) / top
    elif not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            f"{name} has dtype {array.dtype}, whose white is not known: use uint8, "
            "uint16, or floats in [0, 1]"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite pixels: replace them first")
    if array.min() < 0 or array.max() > 1:
        raise ValueError(
            f"{name} has float pixels from {array.min():.4g} to {array.max():.4g}: "
            "scale them to [0, 1]"
        )
    if array.shape[2] in (2, 4):
        color, alpha = array[..., :-1], array[..., -1:]
        array = color * alpha + (1 - alpha)
    return array.astype(np.float64)


def _resize(unit: np.ndarray, size: int) -> np.ndarray:
    from skimage.transform import resize  # imported late: it takes half a second

    scale = size / max(unit.shape[:2])
    height, width = (max(1, round(side * scale)) for side in unit.shape[:2])
    return resize(unit, (height, width), anti_aliasing=scale < 1).clip(0, 1)


def cameraman(size: int = 256) -> Signal:
    """scikit-image's picture ``camera``, anti-aliased down to ``size`` x ``size``.

    It is not the photograph that the paper of 2020 used: scikit-image replaced that
    one in version 0.18. So do not compare a PSNR on it with the paper's.
    """
    from skimage.data import camera

    return image_signal(camera(), size)
