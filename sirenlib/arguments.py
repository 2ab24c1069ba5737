"""Numbers that a function was given: as they must be, or an error that says so."""

import math

import numpy as np


def whole_number(name: str, value: object, smallest: int) -> int:
    """``value`` as an int, or a ValueError that says what ``name`` must be."""
    integral = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not integral or value < smallest:
        raise ValueError(
            f"{name} must be a whole number from {smallest}, not {value!r}"
        )
    return int(value)


def positive_number(name: str, value: object) -> float:
    """``value`` as a float, or a ValueError that says what ``name`` must be."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be a positive number, not {value!r}")
    return float(value)
