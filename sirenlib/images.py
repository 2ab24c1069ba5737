"""Pictures: from a file, an array or a Pillow image to a signal, and back to pixels."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from .arguments import whole_number
from .signals import LARGEST, Signal, coordinate_grid

MOST = 400_000_000  # pixels of a file: a stitched panorama, but no bomb
SHRINK = 4  # a much larger picture is first averaged down to 4 times its size


def image_signal(
    picture: np.ndarray | Image.Image | str | Path,
    size: int | None = None,
    *,
    centers: bool = False,
    keep_aspect: bool = False,
) -> Signal:
    """A picture as a signal: values in [-1, 1], one channel (gray) or three (RGB).

    Args:
        picture: a file of any still format that Pillow reads, a Pillow image, or an
            array ``(H, W)`` or ``(H, W, channels)`` with gray or RGB, and alpha last:
            unsigned integers over their full range, or floats in [0, 1].
            Transparency is laid on white; EXIF rotation is applied.
        size: pixels of the longer side after anti-aliased resizing; the aspect
            stays. None keeps every pixel.
        centers, keep_aspect: as in `coordinate_grid`. A picture that is longer than
            wide is learned better with ``keep_aspect=True`` (chapter 11).

    Raises:
        ValueError: what is wrong with the picture or the size, and what to do.
        OSError: the file cannot be read.

    Example:
        >>> import numpy as np
        >>> import sirenlib
        >>> picture = np.array([[0, 255], [255, 0]], dtype=np.uint8)
        >>> sirenlib.image_signal(picture).values.tolist()
        [[-1.0], [1.0], [1.0], [-1.0]]
    """
    if size is not None:
        size = whole_number("size", size, 2)
        if size > LARGEST:
            raise ValueError(f"size must be at most {LARGEST}, not {size}")
    name = "the image" if isinstance(picture, Image.Image) else "the array"
    if isinstance(picture, (str, Path)):
        name, picture = Path(picture).name, _read(Path(picture), size)
    elif isinstance(picture, Image.Image):
        picture.load()  # which may turn it
        picture = _array(picture, _intermediate(picture.size, size))
    picture = np.asarray(picture)
    _require_picture(picture, name)
    unit = _unit_range(_shrunk(picture, size), name)  # (H, W, c) in [0, 1]
    if size is not None:
        unit = _resize(unit, size)
        _require_two_pixels(unit, f"{name} at size {size}")
    height, width, channels = unit.shape
    unit *= 2  # in place: a large picture is the most that a fit holds
    unit -= 1
    values = torch.from_numpy(unit).float().reshape(-1, channels)
    del unit
    coords = coordinate_grid(height, width, centers=centers, keep_aspect=keep_aspect)
    return Signal(coords, values, (height, width))


def to_pixels(
    values: np.ndarray | Tensor, value_range: tuple[float, float] = (-1.0, 1.0)
) -> np.ndarray:
    """Values as 8-bit pixels: clipped to their range and rounded, in the same shape.

    Example:
        >>> import numpy as np
        >>> import sirenlib
        >>> sirenlib.to_pixels(np.array([-1.5, -1.0, 0.2, 1.0])).tolist()
        [0, 0, 153, 255]
    """
    low, high = value_range
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    unit = (np.asarray(values, dtype=float) - low) / (high - low)
    return (unit.clip(0, 1) * 255).round().astype(np.uint8)


def cameraman(size: int = 256) -> Signal:
    """scikit-image's picture ``camera``, anti-aliased down to ``size`` x ``size``.

    It is not the photograph that the paper of 2020 used: scikit-image replaced that
    one in version 0.18. So do not compare a PSNR on it with the paper's.

    Example:
        >>> import sirenlib
        >>> sirenlib.cameraman(64).shape
        (64, 64)
    """
    from skimage.data import camera  # imported late: it takes half a second

    return image_signal(camera(), size)


def _require_picture(array: np.ndarray, name: str) -> None:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or array.size == 0:
        raise ValueError(
            f"{name} has shape {array.shape}; a picture is (H, W) or (H, W, channels) "
            "with gray or RGB, and alpha last"
        )
    if not (array.dtype == bool or array.dtype.kind in "uf"):
        raise ValueError(
            f"{name} has dtype {array.dtype}, whose white is not known: use uint8, "
            "uint16, or floats in [0, 1]"
        )
    _require_two_pixels(array, name)


def _require_two_pixels(array: np.ndarray, name: str) -> None:
    height, width = array.shape[:2]
    if min(height, width) < 2:
        raise ValueError(
            f"{name} is {width}x{height} pixels: a picture needs 2 on each side"
        )


def _read(path: Path, size: int | None) -> np.ndarray:
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the picture file itself")
    try:
        with _opened(path) as image:
            frames = getattr(image, "n_frames", 1)
            # An MPO file is a phone's photograph with its preview.
            if frames == 1 or image.format == "MPO":
                lengths, edges = _intermediate(image.size, size), None
                # JPEG decodes at a half, a quarter or an eighth, and rounds up.
                if lengths != image.size and (draft := image.draft(None, lengths)):
                    edges = draft[1]
                image.load()
                if not edges:  # older versions of Pillow turn a TIFF here
                    lengths = _intermediate(image.size, size)
                return _array(image, lengths, edges)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file") from None
    except (PermissionError, MemoryError):
        raise
    except _TooLarge as error:
        raise ValueError(f"{path.name} {error}") from None
    except Exception as error:  # Pillow's decoders raise errors of many kinds
        raise ValueError(f"{path.name} {_why_unread(path, error)}") from error
    raise ValueError(
        f"{path.name} has {frames} frames; sirenlib fits still pictures. "
        "Save one frame as PNG and try again."
    )


class _TooLarge(Exception):
    pass


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The file, not decoded yet, within our own limit instead of Pillow's."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        # Damage that matters is an error later; warnings would only double it.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            if image.width * image.height > MOST:
                raise _TooLarge(
                    f"has {image.width * image.height / 1e6:,.0f} million pixels; "
                    f"sirenlib reads up to {MOST / 1e6:,.0f} million: make it smaller "
                    "in a picture editor first"
                )
            yield image
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _why_unread(path: Path, error: Exception) -> str:
    with open(path, "rb") as file:
        start = file.read(12)
    if isinstance(error, UnidentifiedImageError) and start[4:8] == b"ftyp":
        return (
            "is a HEIC or HEIF picture, or a video, which Pillow does not read: "
            "export it as JPEG and try again"
        )
    return (
        "cannot be read as a picture: it is empty, damaged, or not a picture. Open it "
        f"in a viewer and save it as PNG. ({error})"
    )


def _array(
    image: Image.Image, lengths: tuple[int, int], edges: tuple | None = None
) -> np.ndarray:
    """A Pillow image of any mode as an array for `_unit_range`, upright."""
    # Smaller first: turning and converting copy every pixel.
    if image.mode in ("L", "RGB") and not image.has_transparency_data:
        image = _box(image, lengths, edges)
    return np.asarray(_plain_mode(ImageOps.exif_transpose(image)))


def _plain_mode(image: Image.Image) -> Image.Image | np.ndarray:
    """Gray or RGB, with or without alpha: palettes, CMYK and the rest converted."""
    if image.mode == "I" or image.mode.startswith("I;16"):  # gray, 16 bits
        gray = np.asarray(image).clip(0, 65535).astype(np.uint16)
        clear = image.info.get("transparency")
        # One gray may stand for "transparent". On white that is white.
        return gray if clear is None else np.where(gray == clear, 65535, gray)
    gray = image.mode in ("1", "L", "LA", "La")
    if image.mode == "F":
        return image
    if image.has_transparency_data:
        return image.convert("LA" if gray else "RGBA")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if gray else "RGB")


def _target(lengths: tuple[int, int], size: int) -> tuple[int, int]:
    """The two lengths at that size of the longer one."""
    scale = size / max(lengths)
    return tuple(max(1, round(length * scale)) for length in lengths)


def _intermediate(lengths: tuple[int, int], size: int | None) -> tuple[int, int]:
    """The two lengths before the last, anti-aliased step; as they are if small."""
    if size is None or 2 * SHRINK * size >= max(lengths):
        return lengths
    return tuple(SHRINK * length for length in _target(lengths, size))


def _box(
    image: Image.Image, lengths: tuple[int, int], edges: tuple | None = None
) -> Image.Image:
    """A much larger picture averaged down, pixel areas exact, in the file's integers.

    It fills the pixels up to ``edges`` (left, top, right, bottom), by default all.

    The last step alone would blur the whole of it with a kernel as wide as the factor.
    """
    if image.size == lengths:
        return image
    exif = image.getexif()
    smaller = image.resize(lengths, Image.Resampling.BOX, edges)
    smaller.getexif().update(exif)  # resize drops the rotation
    return smaller


def _shrunk(array: np.ndarray, size: int | None) -> np.ndarray:
    """An array averaged down like `_box`."""
    height, width = array.shape[:2]
    lengths = _intermediate((width, height), size)
    if lengths == (width, height):
        return array
    if array.ndim == 3 and array.shape[2] in (2, 4) and array.dtype != np.uint8:
        array = _unit_range(array, "the array")  # on white before colors are mixed
    if array.dtype == np.uint8:
        return np.asarray(_box(Image.fromarray(array.squeeze()), lengths))
    top = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1
    channels = np.atleast_3d(array)
    means = [
        np.asarray(_box(Image.fromarray(each.astype(np.float32) / top), lengths))
        for each in np.moveaxis(channels, -1, 0)
    ]
    return np.stack(means, axis=-1)


def _unit_range(array: np.ndarray, name: str) -> np.ndarray:
    """The picture as float64 ``(H, W, 1 or 3)`` in [0, 1], transparency on white."""
    array = array[..., None] if array.ndim == 2 else array
    top = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1
    array = np.true_divide(array, top, dtype=np.float64)  # a copy, as floats too
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{name} holds NaN or infinite pixels: replace them first")
    if low < -1e-6 or high > 1 + 1e-6:  # a rounding of float32 is no mistake
        raise ValueError(
            f"{name} has float pixels from {low:.8g} to {high:.8g}: scale them to "
            "[0, 1]"
        )
    array.clip(0, 1, out=array)
    if array.shape[2] in (2, 4):
        color, alpha = array[..., :-1], array[..., -1:]
        array = color * alpha + (1 - alpha)
    return array


def _resize(unit: np.ndarray, size: int) -> np.ndarray:
    from skimage.transform import resize  # imported late: it takes half a second

    smaller = size < max(unit.shape[:2])
    lengths = _target(unit.shape[:2], size)
    return resize(unit, lengths, anti_aliasing=smaller).clip(0, 1)
