"""Gather every claim of the book, with its measurement, on one page.

``python tools/claims.py`` reads the boxes of the chapters, and what `check` printed
into their committed outputs. It writes ``book/claims.md`` for readers and
``book/claims.json`` for machines. `make execute` ends with it.
"""

import json
import re
from dataclasses import asdict
from pathlib import Path

import nbformat
from chapters import ROOT, Chapter, Statement, chapters
from references import AND, equations, target_id

OPENING = """\
<!-- Written by tools/claims.py. Do not edit it: run `make execute`. -->

# Every claim, checked

These are the {boxes} boxes of the book, each with its sentence and with what was
measured. After a derivation stands a cell that calls `check`, and `check` prints one
line: what is claimed, what was measured, the number, and what the number has to be.
This page gathers those lines from the chapters' own outputs. There are {lines} of them,
and nobody typed their numbers. {bare}The name of a claim leads to its place in the
book. For machines the same is in <a href="claims.json">claims.json</a>.

In a line the measured number comes first. After ≤ or ≥ stands a bound. After ≈ stands
the prediction, and after ± the tolerance. Where the tolerance follows from a sample,
its size is given. After = stands a number that can be counted and must be met exactly.
After *not* stands the nearest wrong value, what a formula with a term missing would
give: the line would stop at it, too. A < alone belongs to a rounding error. Its own
value differs from one machine to the next, so only its bound is printed. Results of
training differ between machines as well. They are held by a bound, with room below it
or above it.

If one of these lines were false, its cell would stop with an error, and the tests of
the book with it. You can measure all of them on your own machine, with
`python -m sirenlib verify` in the folder of the repository. It runs the cells of the
chapters, prints which numbers differ from these, and writes them into one file.

The lemmas and Theorem 1.8 have the numbers of the supplement of
[Sitzmann et al. 2020](https://arxiv.org/abs/2006.09661). Every other statement is
numbered by this book, which does not mean that it was found here: the chapters say
who found what.
"""
UNCHECKED = "*Proved, and not measured: no line has its name.*"
FOLD = """
<details>
<summary>{summary}</summary>
{lines}
</details>
"""
EXERCISES = "Exercises of this chapter, with their answers: {count}"
OTHER = "Other lines of this chapter: {count}"


def page(root: Path = ROOT) -> str:
    """The page's text, from the boxes and the outputs that the chapters have now."""
    book = [_read(path) for path in chapters(root)]
    boxes = [box for chapter in book for box in chapter.statements()]
    checks = [check for chapter in book for _, check in chapter.checks()]
    bare = len({box.name for box in boxes} - {check.statement for check in checks})
    opening = OPENING.format(
        boxes=len(boxes),
        lines=len(checks),
        bare=f"Boxes that no line belongs to: {bare}. " if bare else "",
    )
    return opening + "".join(map(_section, book))


def data(root: Path = ROOT) -> str:
    """The same for machines, as JSON."""
    book = [_read(path) for path in chapters(root)]
    found = {
        "statements": [
            _record(chapter, box) for chapter in book for box in chapter.statements()
        ],
        "others": [
            {"chapter": chapter.number, "address": _page(chapter), **_plain(check)}
            for chapter in book
            for check in _others(chapter)
        ],
    }
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def write(root: Path = ROOT) -> None:
    """Write both into the book."""
    (root / "book" / "claims.md").write_text(page(root), encoding="utf-8")
    (root / "book" / "claims.json").write_text(data(root), encoding="utf-8")


def _read(path: Path) -> Chapter:
    return Chapter(path, nbformat.read(path, as_version=4))


def _page(chapter: Chapter) -> str:
    return f"{chapter.path.stem}.html"


def _checks(chapter: Chapter, name: str) -> list:
    return [check for _, check in chapter.checks() if check.statement == name]


def _others(chapter: Chapter) -> list:
    """The checks that belong to no box, in their order."""
    names = {box.name for box in chapter.statements()}
    return [check for _, check in chapter.checks() if check.statement not in names]


# The page


def _section(chapter: Chapter) -> str:
    heading = chapter.notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    title = re.sub(r"^\d+\. ", "", heading)
    parts = [_box(chapter, box) for box in chapter.statements()]
    others = _others(chapter)
    solved = [each for each in others if each.statement.startswith("Exercise")]
    parts.append(_fold(OTHER, [each for each in others if each not in solved]))
    parts.append(_fold(EXERCISES, solved))
    text = "".join(parts)
    head = f"\n## [{chapter.number}. {title}]({chapter.path.name})\n"
    return head + text if text else ""


def _box(chapter: Chapter, box: Statement) -> str:
    lines = _lines(_checks(chapter, box.name)) or f"\n{UNCHECKED}\n"
    return f"\n{sentence(box.source, chapter.number)}\n{lines}"


def _lines(checks: list) -> str:
    """A block that the site shows as badges, the first line of each statement open."""
    if not checks:
        return ""
    text = "\n".join(map(str, checks))
    return f"\n```checks\n{text}\n```\n"


def _fold(summary: str, checks: list) -> str:
    if not checks:
        return ""
    text = summary.format(count=len(checks))
    return FOLD.format(summary=text, lines=_lines(checks))


def sentence(source: str, chapter: int) -> str:
    """A box as it can stand on another page: "(10)" there is "(10) of chapter 6"."""
    source = re.sub(r"(\n> *)?\\tag\{\d+\}", "", source)
    hidden = re.sub(r"\$\$.*?\$\$|\$.*?\$|`.*?`", _blank, source, flags=re.DOTALL)
    behind = len(source)
    for found in reversed([*equations(hidden)]):
        goes_on = re.fullmatch(AND, hidden[found.end : behind])
        behind = found.start
        if not found.page and not goes_on:
            end = found.end
            source = f"{source[:end]} of chapter {chapter}{source[end:]}"
    return source


def _blank(found: re.Match) -> str:
    return "x" * len(found[0])


def plain(text: str) -> str:
    """The text with everything escaped that means something in Markdown."""
    return re.sub(r"([\\`*_\[\]<>{}$|~])", r"\\\1", text)


# For machines


def _record(chapter: Chapter, box: Statement) -> dict:
    """``sentence`` is the box's Markdown, without the signs of a quotation."""
    kind, _, number = box.name.partition(" ")
    text = re.sub(r"^> ?", "", box.source, flags=re.MULTILINE)
    return {
        "statement": box.name,
        "title": box.title,
        "sentence": re.sub(r"^\*\*.*?\*\*\s*", "", text),
        "chapter": chapter.number,
        "address": f"{_page(chapter)}#{target_id(kind, number)}",
        "checks": [_plain(check) for check in _checks(chapter, box.name)],
    }


def _plain(check) -> dict:
    """The parts of a line that are there."""
    return {key: text for key, text in asdict(check).items() if text}


if __name__ == "__main__":
    write()
