"""What a reader expected, held to the number that was measured."""

import math
from types import EllipsisType


def line(prediction: float | EllipsisType, printed: str) -> str:
    """The line that `check` prints below its own; empty while there is no prediction.

    Args:
        prediction: a number, or ``...``.
        printed: the measured number as the check prints it: ``"8,707"``.

    Raises:
        TypeError: ``prediction`` is no finite number, or nothing is printed.
    """
    if prediction is ...:
        return ""
    try:
        number = prediction.__float__()
    except (AttributeError, TypeError):  # float() would take the text "0.05" as well
        number = math.nan
    if not math.isfinite(number):
        raise TypeError(
            f"prediction must be a finite number, such as 0.05, not {prediction!r}"
        )
    if not printed:
        raise TypeError("with below= no number is printed to hold a prediction to")
    found = deviation(number, float(printed.replace(",", "")))
    return f"  your prediction {number:g}: {found}"


def deviation(prediction: float, measured: float) -> str:
    """How far a prediction is from what was measured, in words.

    Between half of it and twice it in percent, beyond that as a factor. The script of
    the book's pages says the same.
    """
    if prediction == measured:
        return "as measured"
    ratio = prediction / measured if measured else 0.0
    if ratio <= 0:
        sign = "wrong sign, " if ratio else ""
        return f"{sign}off by {float(f'{abs(prediction - measured):.3g}'):g}"
    if 0.5 <= ratio <= 2:
        percent = 100 * abs(ratio - 1)
        amount = f"{percent:.0f}" if percent >= 9.95 else f"{percent:.1f}"
        amount = "less than 0.1" if percent < 0.05 else amount
        where = "above" if prediction > measured else "below"
        return f"{amount} % {where} the measured value"
    factor = max(ratio, 1 / ratio)
    amount = f"{factor:.1f}" if factor < 9.95 else f"{factor:,.0f}"
    return f"a factor {amount} too {'large' if ratio > 1 else 'small'}"
