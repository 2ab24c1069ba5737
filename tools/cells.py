"""Markdown tables, and numbers as they are printed in them."""

from collections.abc import Callable

from claims import plain


def table(rows: list[dict], columns: dict[str, Callable[[dict], str]]) -> str:
    """A Markdown table. A column that no row has anything for is left out."""
    cells = {
        title: [_cell(make, row) for row in rows] for title, make in columns.items()
    }
    cells = {title: column for title, column in cells.items() if any(column)}
    lines = [list(cells), ["---"] * len(cells), *zip(*cells.values(), strict=True)]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(make: Callable[[dict], str], row: dict) -> str:
    try:
        return plain(make(row))
    except KeyError:  # not in this record
        return ""


def number(value: float, digits: int = 3) -> str:
    """So many digits, and no power of ten: 0.942, 3.90, 2,260."""
    value = float(f"{value:.{digits}g}")
    whole = value >= 10 ** (digits - 1)
    return f"{value:,.0f}" if whole else f"{value:#.{digits}g}"


def spread(middle: float, times: list[float], digits: int = 3) -> str:
    low, middle, high = (number(x, digits) for x in (min(times), middle, max(times)))
    return middle if len(set(times)) == 1 else f"{middle} ({low} to {high})"


def percent(share: float) -> str:
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def unit(value: float, unit: str) -> str:
    """With the largest prefix that leaves a number above one."""
    for prefix, size in [("T", 1e12), ("G", 1e9), ("M", 1e6)]:
        if value >= size:
            return f"{number(value / size)}\N{NO-BREAK SPACE}{prefix}{unit}"
    return f"{number(value)}\N{NO-BREAK SPACE}{unit}"
