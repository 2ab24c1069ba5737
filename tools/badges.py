"""A Sphinx extension: the lines that `check` printed become quiet badges in the site.

One line for each statement is seen below a cell, its first. The others of the same
statement fold behind it: "and 3 more". What else the cell printed stays as it is, and
the notebook has plain lines everywhere. A fenced block of the language ``checks``, on a
page that is no notebook, becomes badges in the same way.

The name of a statement is left as text: `references`, which runs later, makes it a link
to the box. Numbers get true minus signs and powers of ten, and for who listens the
result is a sentence.
"""

import re
from html import escape
from itertools import groupby

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

SPOKEN = {
    "≤": "measured {measured}, at most {bound}",
    "≥": "measured {measured}, at least {bound}",
    "≈": "measured {measured}, predicted {bound}",
    "=": "counted {measured}, and it has to be {bound}",
    "<": "below {bound}",
}
GAP = "\N{NO-BREAK SPACE}"
# A number of its own, not a part of a name: the sign of "a-1" is a hyphen.
MINUS = re.compile(r"(?<![\w.)-])-(?=\.?\d)")
POWER = re.compile(r"\b(\d+(?:\.\d+)?)e([+-]?)0*(\d+)\b")


def setup(app: Sphinx) -> dict:
    app.add_post_transform(Badges)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


class Badges(SphinxPostTransform):
    """Puts badges in the place of the lines of each cell."""

    default_priority = 90  # before `references`, which links the statements
    formats = ("html",)

    def run(self, **kwargs) -> None:
        found = list(self.document.findall(_has_lines))
        # Each cell has its outputs in a node of their own; a fenced block is one.
        for _, blocks in groupby(found, lambda node: id(_cell(node))):
            _replace(list(blocks))


def _has_lines(node: nodes.Node) -> bool:
    if not isinstance(node, nodes.literal_block):
        return False
    printed = "stream" in node["classes"]  # on stdout
    return (printed or node.get("language") == "checks") and bool(_marked(node))


def _marked(node: nodes.literal_block) -> list[str]:
    return [line for line in node.astext().splitlines() if _check(line)]


def _cell(node: nodes.Node) -> nodes.Node:
    """The outputs that a block is one of; the block itself if it was not printed."""
    above = node.parent
    while above is not None and above.get("nb_element") != "cell_code_output":
        above = above.parent
    return node if above is None else above


def _check(line: str):
    """The `Check` that a line was printed from, if it was."""
    if not line.startswith("✓"):
        return None
    from sirenlib.checks import Check  # imported late: PyTorch takes seconds

    try:
        return Check.parse(line)
    except ValueError:
        return None


def _replace(blocks: list[nodes.literal_block]) -> None:
    checks = [_check(line) for block in blocks for line in _marked(block)]
    rest = {each.statement: [] for each in checks}
    for each in checks:
        rest[each.statement].append(each)
    for block in blocks:
        new: list[nodes.Node] = []
        for is_check, lines in groupby(block.astext().splitlines(), _is_marked):
            if is_check:
                names = dict.fromkeys(_check(line).statement for line in lines)
                items = [_item(rest.pop(name)) for name in names if name in rest]
                if items:
                    new.append(nodes.bullet_list("", *items, classes=["checks"]))
            elif text := "\n".join(lines).strip("\n"):
                new.append(nodes.literal_block(text, text, **block.attributes))
        at = block.parent.index(block)
        block.parent[at : at + 1] = new


def _is_marked(line: str) -> bool:
    return _check(line) is not None


def _item(checks: list) -> nodes.list_item:
    """The first line of a statement, and the others folded behind it."""
    first, *others = checks
    item = nodes.list_item("", _line(first))
    if others:
        items = [nodes.list_item("", _line(each)) for each in others]
        more = f"<summary>and {len(others)} more</summary>"
        item += _raw(f'<details class="more">{more}')
        item += nodes.bullet_list("", *items, classes=["checks"])
        item += _raw("</details>")
    return item


def _line(check) -> nodes.paragraph:
    parts = [
        _raw('<span class="held" aria-hidden="true">✓</span>'),
        _raw('<span class="spoken">Checked: </span>'),
        nodes.inline("", check.statement, classes=["statement"]),
        _raw(
            f'<span class="spoken">: </span><span class="what">{_words(check)}</span>'
        ),
        _raw(f'<span class="spoken">: {said(check)}.</span>'),
        _raw(f'<span class="result" aria-hidden="true">{result(check)}</span>'),
    ]
    return nodes.paragraph("", "", *parts, classes=["check"])


def _raw(html: str) -> nodes.raw:
    return nodes.raw("", html, format="html")


def _words(check) -> str:
    """What was measured, and how often: two parts, each of which stays whole."""
    parts = [f'<span class="quantity">{number(check.quantity)}</span>']
    if check.note:
        parts.append(f'<span class="note">{number(check.note)}</span>')
    return " ".join(parts)


def result(check) -> str:
    """``0.995 ≈ 1.000 ± 0.015, not 1.333`` as HTML. A line breaks before a sign."""
    text = f"{check.measured} {check.relation}{GAP}{check.bound}".lstrip()
    text = number(text.replace("± ", f"±{GAP}"))
    return text + (f", not{GAP}{number(check.against)}" if check.against else "")


def said(check) -> str:
    """The result as a sentence: "measured 0.995, predicted 1.000 within 0.015"."""
    text = SPOKEN[check.relation].format(
        measured=check.measured, bound=check.bound.replace("±", "within")
    )
    if check.against:
        text += f"; {check.against} would not have passed"
    return escape(MINUS.sub("minus ", text))


def number(text: str) -> str:
    """A text as HTML, with true minus signs and powers of ten."""
    text = MINUS.sub("−", escape(text, quote=False))
    return POWER.sub(_power, text)


def _power(found: re.Match) -> str:
    factor = "" if found[1] == "1" else f"{found[1]}·"
    sign = found[2].replace("-", "−").replace("+", "")
    return f"{factor}10<sup>{sign}{found[3]}</sup>"
