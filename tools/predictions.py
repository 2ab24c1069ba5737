"""A Sphinx extension: an exercise is one box, and has a place for a prediction.

The box is the quote with the question. Its executed check, the next cell, moves into
its solution. Above the hint comes the place for a number, with what the first line of
that check says: what is predicted, what was measured, and what the law gives. The field
itself is the work of ``predictions.js``; on paper there is a line to write on.

The directive ``predictions`` makes a table of all exercises of the book, which the same
script fills in.
"""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

import nbformat
from badges import number
from chapters import Chapter
from docutils import nodes
from rules import CHECK_OF_EXERCISE
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

COLUMNS = {  # with their shares of the width
    "Exercise": 16,
    "What is predicted": 36,
    "Your prediction": 14,
    "Measured": 14,
    "Deviation": 20,
}


def setup(app: Sphinx) -> dict:
    app.add_node(Table)
    app.add_directive("predictions", Predictions)
    app.add_post_transform(Tables)
    app.connect("doctree-read", _fill)
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)
    app.connect("env-updated", lambda app, env: sorted(_pages(env)))
    app.add_js_file("predictions.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


# What is known of the exercises


def exercises(chapter: Chapter) -> dict[str, object]:
    """For each exercise the first `Check` that its cell printed, if it has a number."""
    first = {}
    for cell, check in chapter.checks():
        first.setdefault(cell, check)
    found = {}
    for cell, check in first.items():
        source = chapter.notebook.cells[cell - 1].source
        if source.startswith(CHECK_OF_EXERCISE) and check.measured:
            found[source.splitlines()[0].removeprefix(CHECK_OF_EXERCISE)] = check
    return found


def data(name: str, check) -> str:
    """What the script has to know, as attributes of an element."""
    known = {
        "exercise": name,
        "what": check.quantity,
        "measured": check.measured.replace(",", ""),
        "shown": shown(check.measured),
    }
    if check.relation in "≈=":  # the others are bounds
        known["law"] = shown(check.bound.partition(" ± ")[0])
    return " ".join(f'data-{key}="{escape(text)}"' for key, text in known.items())


def shown(text: str) -> str:
    """A number of a line with true signs, and with no more than six digits."""
    if "." in text and len(re.findall(r"\d", text)) > 6:
        text = f"{float(text.replace(',', '')):,.6g}"
    return number(text)


def _known(env: BuildEnvironment) -> dict[str, dict[str, object]]:
    if not hasattr(env, "exercises"):
        env.exercises = {}
    return env.exercises


def _pages(env: BuildEnvironment) -> set[str]:
    """The pages with a table. They are written anew whenever the book is."""
    if not hasattr(env, "prediction_pages"):
        env.prediction_pages = set()
    return env.prediction_pages


def _purge(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    _known(env).pop(page, None)
    _pages(env).discard(page)


def _merge(app, env: BuildEnvironment, pages, other: BuildEnvironment) -> None:
    read = _known(other)
    _known(env).update({page: read[page] for page in pages if page in read})
    _pages(env).update(_pages(other) & set(pages))


# The box of an exercise


def _fill(app: Sphinx, document: nodes.document) -> None:
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb" or not re.match(r"\d\d_", path.name):
        return
    chapter = Chapter(path, nbformat.read(path, as_version=4))
    found = _known(app.env)[app.env.docname] = exercises(chapter)
    boxes = [
        each for each in document.findall(nodes.block_quote) if _number(each) in found
    ]
    for box in boxes:
        name = _number(box)
        folds = [i for i, each in enumerate(box) if _is_raw(each, "<details")]
        box.insert(folds[0] if folds else len(box), _field(name, found[name]))
        _take_in(box)


def _number(box: nodes.block_quote) -> str:
    """7.1 for a box with the id ``exercise-7-1``."""
    names = [each for each in box["ids"] if each.startswith("exercise-")]
    return names[0].removeprefix("exercise-").replace("-", ".") if names else ""


def _field(name: str, check) -> nodes.raw:
    line = '<p class="blank">Your prediction:</p>'
    text = f'<div class="prediction" {data(name, check)}>{line}</div>'
    return nodes.raw("", text, format="html")


def _take_in(box: nodes.block_quote) -> None:
    """Move the next cell into the box, to the end of the solution."""
    beside, at = box.parent, box.parent.index(box)
    ends = [i for i, each in enumerate(box) if _is_raw(each, "</details>")]
    following = beside[at + 1 : at + 2]
    if ends and following and following[0].get("nb_element") == "cell_code":
        cell = following[0]
        beside.remove(cell)
        box.insert(ends[-1], cell)


def _is_raw(node: nodes.Node, tag: str) -> bool:
    return isinstance(node, nodes.raw) and tag in node.astext()


# The page


class Table(nodes.General, nodes.Element):
    """Stands where the table will be, once all chapters have been read."""


class Predictions(SphinxDirective):
    """The table of all exercises."""

    def run(self) -> list[nodes.Node]:
        _pages(self.env).add(self.env.docname)
        return [Table()]


class Tables(SphinxPostTransform):
    """Puts the table in its place. `references`, later, makes its names links."""

    default_priority = 80
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for place in list(self.document.findall(Table)):
            place.replace_self(_table(_known(self.env)))


def _table(known: dict[str, dict[str, object]]) -> nodes.table:
    body = nodes.tbody()
    for page in sorted(known):
        for name, check in known[page].items():
            body += _row([[*each] for each in _cells(name, check)])
    group = nodes.tgroup("", cols=len(COLUMNS))
    group += [nodes.colspec(colwidth=width) for width in COLUMNS.values()]
    group += nodes.thead("", _row([[nodes.Text(each)] for each in COLUMNS]))
    group += body
    return nodes.table("", group, classes=["predictions"])


def _cells(name: str, check) -> Iterator[list[nodes.Node]]:
    yield [nodes.Text(f"Exercise {name}")]
    yield [nodes.Text(check.quantity)]
    yield [_raw(f'<span class="yours" {data(name, check)}></span>')]
    yield [_raw('<span class="measured"></span>')]
    yield [_raw('<span class="deviation"></span>')]


def _row(cells: list[list[nodes.Node]]) -> nodes.row:
    entries = [nodes.entry("", nodes.paragraph("", "", *each)) for each in cells]
    return nodes.row("", *entries)


def _raw(html: str) -> nodes.raw:
    return nodes.raw("", html, format="html")
