"""One line that holds a claim to a measurement, or an error that says both."""

import math
import re
from dataclasses import dataclass

MARK, GAP = "✓", "  "


@dataclass(frozen=True)
class Check:
    """A claim that held, as `check` prints it and `Check.parse` reads it back.

    ``relation`` is one of ``≤``, ``≥``, ``≈``, ``=`` and ``<``; the numbers are kept as
    the text that is printed, so that nothing is lost on the way.
    """

    statement: str
    quantity: str
    measured: str
    relation: str
    bound: str
    note: str = ""

    def __str__(self) -> str:
        head = f"{MARK} {self.statement:<14}{GAP}{self.quantity:<34}{GAP}"
        result = " ".join(filter(None, [self.measured, self.relation, self.bound]))
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
    r"(?:(?P<measured>\S+) )?(?P<relation>[≤≥≈=<]) (?P<bound>\S+(?: ± \S+)?)"
    r"(?:   \((?P<note>.*)\))?"
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
    note: str = "",
) -> None:
    """Print one line "measured against predicted", or raise.

    Exactly one demand is made: ``at_most``, ``at_least``, ``near`` together with
    ``within`` (0 for what can be counted), or ``below``. ``below`` is for rounding
    errors: it prints the bound alone, since the error itself differs from machine to
    machine. The others print as many digits as the tolerance resolves.

    Args:
        statement: what is claimed and where: ``"Lemma 1.1"``, ``"Exercise 8.2"``.
        quantity: what was measured, in words.
        note: the sample size, or whatever the tolerance follows from.

    Raises:
        AssertionError: the demand is not met, or ``measured`` is NaN.
        TypeError: not exactly one demand.
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
        "≤": measured <= bound,
        "≥": measured >= bound,
        "≈": near is not None and abs(measured - near) <= within,
        "<": measured < bound,
    }[relation]
    line = _format(statement, quantity, measured, relation, bound, within, note)
    if not holds:
        tolerance = f" ± {within:g}" if within is not None else ""
        raise AssertionError(
            f"{statement}: {quantity}: measured {measured:.12g}, "
            f"expected {relation} {bound:.12g}{tolerance}"
        )
    print(line)


def _format(statement, quantity, measured, relation, bound, within, note) -> Check:
    for name, text in {"statement": statement, "quantity": quantity}.items():
        if not text or text != " ".join(text.split()):
            raise ValueError(f"{name} must be words with single spaces, not {text!r}")
    if len(note.splitlines()) > 1:
        raise ValueError(f"note must be one line, not {note!r}")
    if relation == "<":
        return Check(statement, quantity, "", relation, f"{bound:g}", note)
    if within == 0:
        exact = f"{measured:,.12g}"
        return Check(statement, quantity, exact, "=", f"{bound:,.12g}", note)
    places = _places(bound, digits=3) if within is None else _places(within, digits=2)
    wanted = f"{bound:,.{places}f}"
    if within is not None:
        wanted += f" ± {within:,.{places}f}"
    return Check(statement, quantity, f"{measured:,.{places}f}", relation, wanted, note)


def _places(number: float, digits: int) -> int:
    """Decimals that show so many digits: 0.00163 with 3 -> 5, 25 with 3 -> 1."""
    if number == 0 or not math.isfinite(number):
        return digits
    return max(0, digits - 1 - math.floor(math.log10(abs(number))))
