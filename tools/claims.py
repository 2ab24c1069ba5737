"""Gather every claim of the book, with its measurement, on one page.

``python tools/claims.py`` reads what `check` printed into the chapters' committed
outputs and writes ``book/claims.md``. `make execute` ends with it.
"""

import re
from itertools import count
from pathlib import Path

import nbformat
import prose
from chapters import ROOT, Chapter, chapters
from myst_parser.mdit_to_docutils.base import default_slugify

OPENING = """\
<!-- Written by tools/claims.py. Do not edit it: run `make execute`. -->

# Every claim, checked

After a derivation in this book stands a cell that measures what was derived. The cell
calls `check`, and `check` prints one line: what is claimed, what was measured, the
number, and what the number has to be. This page gathers those lines from the
chapters' own outputs. There are {total} of them, and nobody typed their numbers.

In the column *result* the measured number comes first. After ≤ or ≥ stands a bound.
After ≈ stands the prediction, and after ± the tolerance. Where the tolerance follows
from a sample, the size of the sample stands in parentheses. After = stands a number
that can be counted and must be met exactly. After *not* stands the nearest wrong
value, what a formula with a term missing would give: the line would stop at it, too.
A < alone belongs to a rounding error.
Its own value differs from one machine to the next, so only its bound is printed.

Results of training differ between machines as well. They are held by a bound, with
room below it or above it.

If one of these lines were false, its cell would stop with an error, and the tests of
the book with it. The lemmas and Theorem 1.8 have the numbers of the supplement of
[Sitzmann et al. 2020](https://arxiv.org/abs/2006.09661). Every other statement is
numbered by this book, which does not mean that it was found here: the chapters say
who found what. Lines named *Exercise* give its answer away, so solve it first.
"""

SECTION = """
## [{number}. {title}]({file})

| claim | what was measured | result |
| --- | --- | --- |
"""


def page(root: Path = ROOT) -> str:
    """The page's text, from the outputs that the chapters have now."""
    tables = [_table(path) for path in chapters(root)]
    total = sum(len(rows) for _, rows in tables)
    parts = [head + "".join(rows) for head, rows in tables if rows]
    return OPENING.format(total=total) + "".join(parts)


def write(root: Path = ROOT) -> None:
    """Write the page into the book."""
    (root / "book" / "claims.md").write_text(page(root), encoding="utf-8")


def _table(path: Path) -> tuple[str, list[str]]:
    """The head of a chapter's section and one row for each of its checks."""
    chapter = Chapter(path, nbformat.read(path, as_version=4))
    title = chapter.notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    head = SECTION.format(number=int(path.name[:2]), title=title, file=path.name)
    anchors = _anchors(chapter)
    titles = {name: title for _, name, title in chapter.statements()}
    rows = [
        _row(f"{path.name}#{anchors[cell]}", check, titles.get(check.statement, ""))
        for cell, check in chapter.checks()
    ]
    return head, rows


def _row(place: str, check, title: str) -> str:
    bound = check.bound.replace("± ", "±\N{NO-BREAK SPACE}")  # lines break before signs
    result = f"{check.measured} {check.relation}\N{NO-BREAK SPACE}{bound}".lstrip()
    result += f", not {check.against}" if check.against else ""
    quantity = f"{check.quantity} ({check.note})" if check.note else check.quantity
    name, quantity, result = map(plain, [check.statement, quantity, result])
    title = f", {plain(title)}" if title else ""
    return f"| [{name}]({place}){title} | {quantity} | {result} |\n"


def plain(text: str) -> str:
    """The text with everything escaped that means something in Markdown."""
    return re.sub(r"([\\`*_\[\]<>{}$|~])", r"\\\1", text)


def _anchors(chapter: Chapter) -> dict[int, str]:
    """For each cell the anchor of the nearest heading above it."""
    found, seen, anchor = {}, set(), ""
    for number, cell in enumerate(chapter.notebook.cells, 1):
        text = cell.source if cell.cell_type == "markdown" else ""
        for title in [t for level, t in prose.headings(text) if level < 4]:
            anchor = default_slugify(title)
            again = count(1)
            while anchor in seen:  # as MyST tells equal headings apart
                anchor = f"{anchor}-{next(again)}"
            seen.add(anchor)
        found[number] = anchor
    return found


if __name__ == "__main__":
    write()
