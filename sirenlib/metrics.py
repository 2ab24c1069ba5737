"""How far a prediction is from its target."""

import math

import numpy as np
import torch
from torch import Tensor


def psnr(
    prediction: Tensor | np.ndarray, target: Tensor | np.ndarray, data_range: float
) -> float:
    """Peak signal-to-noise ratio in decibels; ``inf`` for equal inputs.

    Args:
        prediction, target: any shape, the same for both.
        data_range: largest minus smallest possible value: 2 for data in [-1, 1],
            255 for 8-bit pixels. There is no default: data in [-1, 1] with a range
            of 1 reads 6.02 dB too low.
    """
    prediction, target = (_float64(a) for a in (prediction, target))
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction has shape {prediction.shape} and target {target.shape}: "
            "they must be equal, nothing is broadcast"
        )
    return psnr_from_mse(float(np.mean((prediction - target) ** 2)), data_range)


def psnr_from_mse(mse: float, data_range: float) -> float:
    """The PSNR in decibels of a mean squared error."""
    if not (math.isfinite(data_range) and data_range > 0):
        raise ValueError(f"data_range must be positive, not {data_range!r}")
    if mse in (0, math.inf):
        return math.inf if mse == 0 else -math.inf
    return 10 * math.log10(data_range**2 / mse)


def _float64(values: Tensor | np.ndarray) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)
