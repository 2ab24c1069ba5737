"""One line that holds a claim to a measurement, or an error that says both."""

import math
import re
from dataclasses import dataclass
from types import EllipsisType

from . import predictions

MARK, GAP = "✓", "  "


@dataclass(frozen=True)
class Check:
    """A claim that held, as `check` prints it and `Check.parse` reads it back.

    ``relation`` is one of ``≤``, ``≥``, ``≈``, ``=`` and ``<``, and ``against`` is what
    would not have passed; the numbers are kept as the text that is printed, so that
    nothing is lost on the way.

    Example:
        >>> import sirenlib
        >>> claim = sirenlib.Check("Claim 2.1", "mean", "0.001", "≈", "0.000 ± 0.003")
        >>> sirenlib.Check.parse(str(claim)) == claim
        True
    """

    statement: str
    quantity: str
    measured: str
    relation: str
    bound: str
    note: str = ""
    against: str = ""

    def __str__(self) -> str:
        head = f"{MARK} {self.statement:<14}{GAP}{self.quantity:<34}{GAP}"
        result = " ".join(filter(None, [self.measured, self.relation, self.bound]))
        result += f", not {self.against}" if self.against else ""
        return f"{head}{result}" + (f"{GAP} ({self.note})" if self.note else "")

    @classmethod
    def parse(cls, line: str) -> "Check":
        """The check that a printed line came from.

        Raises:
            ValueError: the line was not printed by `check`.
        """
        found = _LINE.fullmatch(line.rstrip())
        if not found:
            raise ValueError(f"not a line of check(): {line!r}")
        return cls(**{key: text or "" for key, text in found.groupdict().items()})


_LINE = re.compile(
    rf"{MARK} (?P<statement>\S+(?: \S+)*) {{2,}}(?P<quantity>\S+(?: \S+)*) {{2,}}"
    r"(?:(?P<measured>\S+) )?(?P<relation>[≤≥≈=<]) (?P<bound>\S+?(?: ± \S+?)?)"
    r"(?:, not (?P<against>\S+))?(?:   \((?P<note>.*)\))?"
)


def check(
    statement: str,
    quantity: str,
    measured: float,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    near: float | None = None,
    within: float | None = None,
    below: float | None = None,
    against: float | None = None,
    note: str = "",
    prediction: float | EllipsisType = ...,
) -> None:
    """Print one line "measured against predicted", or raise.

    Exactly one demand is made: ``at_most``, ``at_least``, ``near`` together with
    ``within`` (0 for what can be counted), or ``below``. ``below`` is for rounding
    errors: it prints the bound alone, since the error itself differs from machine to
    machine. The others print as many digits as the tolerance resolves.

    Args:
        statement: what is claimed and where: ``"Lemma 1.1"``, ``"Exercise 9.2"``.
        quantity: what was measured, in words.
        against: the nearest wrong value, what a formula without one of its terms would
            give. The demand must tell it from the right one; the line names it.
        note: the sample size, or whatever the tolerance follows from.
        prediction: the number that a reader expected, ``...`` while there is none. A
            second line says how far it is from the measured value as printed.

    Raises:
        AssertionError: the demand is not met, or ``measured`` is NaN; or the value
            ``against`` would have met it too.
        TypeError: not exactly one demand; or ``prediction`` is no number, or the line
            prints none to compare it with.

    Example:
        >>> import sirenlib
        >>> sirenlib.check("Pythagoras", "3² + 4²", 3**2 + 4**2, near=25, within=0)
        ✓ Pythagoras      3² + 4²                             25 = 25
    """
    measured = float(measured)
    demands = {"≤": at_most, "≥": at_least, "≈": near, "<": below}
    given = {sign: bound for sign, bound in demands.items() if bound is not None}
    if len(given) != 1 or (near is None) != (within is None):
        raise TypeError(
            "check() takes one of at_most=, at_least=, near= with within=, or below="
        )
    [(relation, bound)] = given.items()
    holds = {
        "≤": lambda value: value <= bound,
        "≥": lambda value: value >= bound,
        "≈": lambda value: abs(value - bound) <= within,
        "<": lambda value: value < bound,
    }[relation]
    numbers = measured, relation, bound, within, against
    line = _format(statement, quantity, note, *numbers)
    told = predictions.line(prediction, line.measured)
    tolerance = f" ± {within:g}" if within is not None else ""
    wanted = f"{relation} {bound:.12g}{tolerance}"
    if not holds(measured):
        raise AssertionError(
            f"{statement}: {quantity}: measured {measured:.12g}, expected {wanted}"
        )
    if against is not None and (holds(against) or math.isnan(against)):
        raise AssertionError(
            f"{statement}: {quantity}: {wanted} accepts {against:.12g} as well: take "
            "more samples and a smaller tolerance, or measure something else"
        )
    print(line)
    if told:
        print(told)


def _format(
    statement, quantity, note, measured, relation, bound, within, against
) -> Check:
    for name, text in {"statement": statement, "quantity": quantity}.items():
        if not text or text != " ".join(text.split()):
            raise ValueError(f"{name} must be words with single spaces, not {text!r}")
    if len(note.splitlines()) > 1:
        raise ValueError(f"note must be one line, not {note!r}")
    if relation == "<":
        number = "{:g}".format
    elif within == 0:
        number = "{:,.12g}".format
    else:
        places = _places(*((bound, 3) if within is None else (within, 2)))
        number = f"{{:,.{places}f}}".format
    wanted, other = number(bound), "" if against is None else number(against)
    if within:
        wanted += f" ± {number(within)}"
    found = "" if relation == "<" else number(measured)
    relation = "=" if within == 0 else relation
    return Check(statement, quantity, found, relation, wanted, note, other)


def _places(number: float, digits: int) -> int:
    """Decimals that show so many digits: 0.00163 with 3 -> 5, 25 with 3 -> 1."""
    if number == 0 or not math.isfinite(number):
        return digits
    return max(0, digits - 1 - math.floor(math.log10(abs(number))))
