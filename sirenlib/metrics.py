"""How far a prediction is from its target, and samples from a law."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .arguments import whole_number


def psnr(
    prediction: Tensor | np.ndarray, target: Tensor | np.ndarray, data_range: float
) -> float:
    """Peak signal-to-noise ratio in decibels; ``inf`` for equal inputs.

    Args:
        prediction, target: any shape, the same for both.
        data_range: largest minus smallest possible value: 2 for data in [-1, 1],
            255 for 8-bit pixels. There is no default: data in [-1, 1] with a range
            of 1 reads 6.02 dB too low.

    Raises:
        ValueError: the shapes differ, or the range is not positive.

    Example:
        >>> import numpy as np
        >>> import sirenlib
        >>> found, wanted = np.array([0.1, -0.1]), np.zeros(2)
        >>> round(sirenlib.psnr(found, wanted, data_range=1), 2)
        20.0
        >>> round(sirenlib.psnr(found, wanted, data_range=2), 2)
        26.02
    """
    prediction, target = _pair(prediction, target)
    return psnr_from_mse(float(np.mean((prediction - target) ** 2)), data_range)


def snr(prediction: Tensor | np.ndarray, target: Tensor | np.ndarray) -> float:
    """Signal-to-noise ratio in decibels, ``10 log10(sum target² / sum error²)``.

    It is the measure for sound, whose loudest possible value says little. 0 dB is what
    silence reaches; ``inf`` stands for equal inputs.

    Args:
        prediction, target: any shape, the same for both.

    Raises:
        ValueError: the shapes differ, or the target is silent: all zero or empty.

    Example:
        >>> import numpy as np
        >>> import sirenlib
        >>> round(sirenlib.snr(np.array([0.9, 0.0]), np.array([1.0, 0.0])), 2)
        20.0
    """
    prediction, target = _pair(prediction, target)
    power = float(np.sum(target**2))
    if power == 0:
        raise ValueError("the target is silent: a ratio to it has no meaning")
    return psnr_from_mse(float(np.sum((prediction - target) ** 2)) / power, 1.0)


def _pair(prediction: Tensor | np.ndarray, target: Tensor | np.ndarray):
    """Both as float64 arrays of one shape."""
    prediction, target = (_float64(a) for a in (prediction, target))
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction has shape {prediction.shape} and target {target.shape}: "
            "they must be equal, nothing is broadcast"
        )
    return prediction, target


def psnr_from_mse(mse: float, data_range: float) -> float:
    """The PSNR in decibels of a mean squared error.

    Raises:
        ValueError: the range is not positive and finite.

    Example:
        >>> import sirenlib
        >>> round(sirenlib.psnr_from_mse(0.04, data_range=2), 2)
        20.0
    """
    if not (math.isfinite(data_range) and data_range > 0):
        raise ValueError(f"data_range must be positive, not {data_range!r}")
    if mse in (0, math.inf):
        return math.inf if mse == 0 else -math.inf
    return 10 * math.log10(data_range**2 / mse)


def ks_distance(
    samples: Tensor | np.ndarray, cdf: Callable[[np.ndarray], np.ndarray]
) -> float:
    """Kolmogorov-Smirnov distance of samples to a law: the largest gap between the
    samples' distribution function and the law's, between 0 and 1.

    Args:
        samples: any shape, one or more numbers, none of them NaN.
        cdf: the law's distribution function, for an array of places.

    Raises:
        ValueError: there are no samples, or one of them is NaN.

    Example:
        >>> import numpy as np
        >>> import sirenlib
        >>> sirenlib.ks_distance(np.array([0.25, 0.75]), lambda place: place)
        0.25
    """
    samples = _float64(samples).ravel()
    if samples.size == 0 or np.isnan(samples).any():
        raise ValueError("samples must be one or more numbers, none of them NaN")
    law = np.asarray(cdf(np.sort(samples)), dtype=float)
    steps = np.arange(samples.size + 1) / samples.size  # before and after each sample
    return float(max((steps[1:] - law).max(), (law - steps[:-1]).max()))


def ks_critical(samples: int) -> float:
    """The distance that so many independent samples of the law itself exceed by
    chance once in a hundred times: 1.63/sqrt(samples).

    It holds for some tens of samples and more, and for independent ones only: the
    neurons of one network are not.

    Raises:
        ValueError: samples is no whole number from 1.

    Source: Kolmogorov 1933; 1.63 is ``scipy.stats.kstwobign.isf(0.01)``.

    Example:
        >>> import sirenlib
        >>> round(sirenlib.ks_critical(10_000), 4)
        0.0163
    """
    return 1.63 / math.sqrt(whole_number("samples", samples, 1))


def _float64(values: Tensor | np.ndarray) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)
