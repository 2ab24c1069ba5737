"""Sounds: from a WAV file to a signal, and back to a file."""

import io
import warnings
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from torch import Tensor

from .arguments import whole_number
from .files import replace_file
from .signals import Signal, array_signal

FEWEST = 64  # samples of a sound: fewer have no pitch


def sound_signal(path: str | Path) -> tuple[Signal, int]:
    """A WAV file of one channel as a signal with values in [-1, 1], and its rate.

    The whole sound spans the coordinates from -1 to 1, however long it is. One unit of
    the coordinate is half of its duration.

    Args:
        path: a WAV file: PCM with 8, 16, 24 or 32 bits, or floating point.

    Returns:
        The signal, and its samples a second.

    Raises:
        ValueError: the file is no such sound, has more channels, is silent or too
            short; the message says what to do.
        OSError: it cannot be read.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            # Chunks of other kinds, such as the name of the song, are passed over.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate, samples = wavfile.read(path)
    except OSError:
        raise
    except Exception as error:  # a damaged file raises errors of many kinds
        raise ValueError(
            f"{path.name} is no WAV file that can be read ({error}): save it as 16-bit "
            "PCM and try again"
        ) from error
    if samples.ndim != 1:
        raise ValueError(
            f"{path.name} has {samples.shape[1]} channels; sirenlib fits one. Mix them "
            "down to mono, or save one of them, and try again"
        )
    if len(samples) < FEWEST:
        raise ValueError(
            f"{path.name} has {len(samples)} samples: a sound needs {FEWEST} or more"
        )
    values = _unit_range(samples)
    if not np.isfinite(values).all():
        raise ValueError(f"{path.name} holds NaN or infinite samples: save it anew")
    if values.min() == values.max():
        raise ValueError(f"{path.name} is silent: there is nothing to learn")
    # A file in floating point may be louder than 1.
    peak = max(1.0, float(np.abs(values).max()))
    return array_signal(values, value_range=(-peak, peak)), int(rate)


def _unit_range(samples: np.ndarray) -> np.ndarray:
    """PCM samples as fractions of the loudest one; floating ones as they are."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float64)
    if samples.dtype == np.uint8:  # 8 bits are unsigned in a WAV file
        return (samples.astype(np.float64) - 128) / 128
    # 24 bits are read into the upper ones of 32.
    return samples.astype(np.float64) / -float(np.iinfo(samples.dtype).min)


def write_sound(samples: np.ndarray | Tensor, rate: int, path: str | Path) -> None:
    """Write samples in [-1, 1] as a WAV file of 16 bits; what is louder is clipped.

    Args:
        samples: ``(N,)`` or ``(N, 1)``.
        rate: samples a second.

    Raises:
        ValueError: there is more than one channel, or a sample is NaN.
        OSError: the file cannot be written. What was there before is still there.
    """
    replace_file(Path(path), wav_bytes(samples, rate))


def wav_bytes(samples: np.ndarray | Tensor, rate: int) -> bytes:
    """The file that `write_sound` writes."""
    if isinstance(samples, Tensor):
        samples = samples.detach().cpu().double().numpy()
    samples = np.asarray(samples, dtype=float)
    if samples.ndim == 2 and samples.shape[1] == 1:
        samples = samples[:, 0]
    if samples.ndim != 1 or np.isnan(samples).any():
        raise ValueError(
            f"samples of shape {samples.shape} must be one channel without NaN"
        )
    file = io.BytesIO()
    pcm = (samples.clip(-1, 1) * 32767).round().astype(np.int16)
    wavfile.write(file, whole_number("rate", rate, 1), pcm)
    return file.getvalue()
