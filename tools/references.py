"""A Sphinx extension: "(10)" and "claim 4.15" in prose become links to what they name.

The source stays plain text. Two things have an address of their own:

* a display with ``\\tag{10}`` has the id ``equation-10`` in its chapter;
* a box that opens with "**Claim 4.15", "**Exercise 7.3" or the older "**Predict before
  you run 7.3", a figure whose caption opens with "Figure 6.2", and a paragraph that
  opens with a bold "Figure 6.2", have ``claim-4-15``, ``exercise-7-3``, ``figure-6-2``.
  A box without a number has its kind alone.

"(10)" means this chapter's; "(10) of chapter 6" and "(10) of [chapter 6](...)" that
of the other one. A claim has its chapter in its number. A word of these kinds with a
number, or a "(10)" in a chapter, that names nothing is a warning.

Not read are headings, code, formulas, links, an argument as in f(1), and a list that
counts in a sentence: "(1) first, (2) then". In a table "12 (3)" is a number. A link
to a whole page whose text is nothing but "claim 4.15" leads to the claim.

What a link shows before it is followed is the work of ``references.js``. For targets
on another page it loads one script, ``previews/NAME.js``, which this extension writes
beside the pages: a script, unlike JSON, can be read from a file's address, too.

`jupyter-book build` finds this file through ``local_extensions`` in ``_config.yml``. A
``conf.py`` from `jupyter-book config sphinx` needs ``PYTHONPATH=tools``.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)

KINDS = "lemma|theorem|claim|proposition|corollary|definition|exercise|figure"
KIND = f"(?i:{KINDS})"
NUMBER = r"\d+(?:\.\d+)+"
# Between two of a list or a range.
AND = r"(?:,?\s+(?:and|or|to)\s+|,\s+|\s*[-–]\s*)"

OPENING = re.compile(rf"(Predict before you run|{KIND})\b(?:\s+({NUMBER}))?")
TAG = re.compile(r"\\tag\{(\d+)\}")
NAMED = re.compile(rf"\b(?P<kind>{KIND})(?:\s+{NUMBER}|s\s+{NUMBER}(?:{AND}{NUMBER})*)")
SMALL = r"\([1-9]\d?\)"
BARE = re.compile(
    rf"(?P<word>\b(?i:equations?)\s+)?(?<![\w)\]'’′″^_/·×*+=<>−–-]){SMALL}(?:{AND}{SMALL})*"
    r"(?![\w(^])"
)
CHAPTER = re.compile(r"\s+(?:of|in)\s+[Cc]hapter\s+(\d+)")
# The paper's own statements, where the book has no box for them.
ELSEWHERE = re.compile(r"\s+of\s+(?:the|their)\s+(?:\w+\s+)?(?:paper|supplement)\b")

UNREAD = (
    nodes.title,
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.comment,
)

# For each page the ids of its targets.
Targets = dict[str, list[str]]


@dataclass(frozen=True)
class Found:
    """A piece of text that names a target; ``page`` is empty for the page it is on."""

    start: int
    end: int
    id: str
    page: str = ""
    optional: bool = False  # no warning if there is no such target


def setup(app: Sphinx) -> dict:
    app.add_transform(Ids)
    app.connect("env-purge-doc", lambda app, env, page: _targets(env).pop(page, None))
    app.connect("env-merge-info", _merge)
    app.connect("env-check-consistency", _warn_of_twins)
    app.connect("html-page-context", _write_previews)
    app.add_post_transform(Links)
    app.add_js_file("references.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


# Targets


def _targets(env: BuildEnvironment) -> Targets:
    if not hasattr(env, "reference_targets"):
        env.reference_targets = {}
    return env.reference_targets


def _merge(app, env: BuildEnvironment, pages, other: BuildEnvironment) -> None:
    _targets(env).update({page: _targets(other)[page] for page in pages})


class Ids(SphinxTransform):
    """Gives the targets of a page their ids, also for links that are written out."""

    default_priority = 870  # before MyST follows links such as [the box](#claim-4-15)

    def apply(self, **kwargs) -> None:
        page = self.env.docname
        slugs = self.env.metadata[page].setdefault("myst_slugs", {})
        ids = _targets(self.env)[page] = []
        for node, name in named(self.document):
            if name in self.document.ids or name in ids:
                logger.warning("the id %r is taken", name, location=node)
                continue
            node["ids"].insert(0, name)
            ids.append(name)
            if isinstance(node, nodes.paragraph):
                node["classes"].append("figure-caption")
            slugs[name] = (node.line, name, name)


def named(document: nodes.document) -> Iterator[tuple[nodes.Element, str]]:
    """Each target in a page, with its id."""
    for node in document.findall(nodes.Element):
        if isinstance(node, nodes.math_block):
            found = TAG.search(node.astext())
            name = found and f"equation-{found[1]}"
        else:
            name = _name(node)
        if name:
            yield node, name


def _name(node: nodes.Element) -> str | None:
    """The id that a box or a figure opens with."""
    if isinstance(node, nodes.figure):
        caption = next(iter(node.findall(nodes.caption)), None)
        found = caption and OPENING.match(caption.astext())
        return target_id(*found.groups()) if found and found[2] else None
    if isinstance(node, nodes.paragraph) and isinstance(node.parent, nodes.section):
        name = _opening(node)
        return name if name and name.startswith("figure-") else None
    if not isinstance(node, nodes.block_quote | nodes.container | nodes.Admonition):
        return None
    first = node[0] if node.children else None
    return _opening(first) if isinstance(first, nodes.paragraph) else None


def _opening(paragraph: nodes.paragraph) -> str | None:
    """The id that the bold name at the beginning of a paragraph gives."""
    bold = next((each for each in paragraph if each.astext()), None)
    if not isinstance(bold, nodes.strong):
        return None
    found = OPENING.match(bold.astext())
    return target_id(*found.groups()) if found else None


def target_id(kind: str, number: str | None) -> str:
    """``claim-4-15`` for a claim 4.15."""
    kind = "exercise" if kind.startswith("Predict") else kind.lower()
    return f"{kind}-{number.replace('.', '-')}" if number else kind


def _numbered(ids: list[str]) -> list[str]:
    """What another page can mean: a statement, a figure or an exercise."""
    return [each for each in ids if "equation" not in each and "-" in each]


def chapter_number(page: str) -> int | None:
    """5 for ``05_lemma_1_1``; nothing for other pages."""
    found = re.match(r"(\d\d)_", page)
    return int(found[1]) if found else None


def _chapters(env: BuildEnvironment) -> Targets:
    return {page: ids for page, ids in _targets(env).items() if chapter_number(page)}


def _warn_of_twins(app: Sphinx, env: BuildEnvironment) -> None:
    first: dict[str, str] = {}
    for page, ids in sorted(_chapters(env).items()):
        for name in _numbered(ids):
            if name in first:
                logger.warning("%r is in %s, too", name, first[name], location=page)
            first.setdefault(name, page)


# What is said in the text


def statements(text: str) -> Iterator[Found]:
    """The numbered statements, exercises and figures that a text names."""
    for match in NAMED.finditer(text):
        optional = bool(ELSEWHERE.match(text, match.end()))
        start = match.start()
        for number in re.finditer(NUMBER, match[0]):
            end = match.start() + number.end()
            yield Found(
                start, end, target_id(match["kind"], number[0]), optional=optional
            )
            start = end + _gap(text[end:])


def equations(text: str, page: str = "", cell: bool = False) -> Iterator[Found]:
    """The numbers of displays in a text that is followed by the name of ``page``.

    In a cell of a table they follow a word: "12 (3)" is a number there.
    """
    counting = _counting(text)
    for match in BARE.finditer(text):
        other = CHAPTER.match(text, match.end())
        where = f"{int(other[1]):02}_" if other else ""
        if re.fullmatch(r"\s+(?:of|in)\s+", text[match.end() :]):
            where = page
        word = match["word"] or re.search(r"[^\W\d_],?\s+$", text[: match.start()])
        if match.start() in counting or (cell and not word):
            continue
        start = match.start()
        for number in re.finditer(r"\((\d+)\)", match[0]):
            end = match.start() + number.end()
            yield Found(start, end, f"equation-{number[1]}", where)
            start = end + _gap(text[end:])


def _gap(rest: str) -> int:
    found = re.match(AND, rest)
    return found.end() if found else 0


def _counting(text: str) -> set[int]:
    """Where the items of a list stand that counts in a sentence: "(1) first, (2) then".

    It begins a sentence or follows a colon, and each item but the first follows a mark.
    """
    item = re.compile(r"(?:^\s*|[.:;,]\s+(?:and\s+|or\s+)?)(\((\d)\))(?=\s+\w)")
    items = [(match.start(1), int(match[2])) for match in item.finditer(text)]
    opens = [i for i, (at, n) in enumerate(items) if n == 1 and _opens(text, at)]
    found = set()
    for first in opens:
        run = items[first:]
        length = next((k for k, (_, n) in enumerate(run) if n != k + 1), len(run))
        if length > 1:
            found |= {at for at, _ in run[:length]}
    return found


def _opens(text: str, at: int) -> bool:
    before = text[:at].rstrip()
    return not before or before[-1] in ".:"


# Links


class Links(SphinxPostTransform):
    """Puts links into a page, once the targets of all pages are known."""

    default_priority = 100  # after the links that are written out have found their page
    formats = ("html",)

    def run(self, **kwargs) -> None:
        page = self.env.docname
        self.pages = {
            self.app.builder.get_relative_uri(page, other): other
            for other in self.env.all_docs
        }
        for link in list(self.document.findall(nodes.reference)):
            self._lead(link)
        _join(self.document)
        for text in list(self.document.findall(nodes.Text)):
            if _is_read(text):
                self._link(text)

    def _lead(self, link: nodes.reference) -> None:
        """Lead a link on from a page to the target that its text names."""
        file, _, anchor = link.get("refuri", "").partition("#")
        anchor = anchor or link.get("refid", "")
        page = self.pages.get(file) if file else self.env.docname
        said = [*statements(link.astext())]
        if not anchor and [(0, len(link.astext()))] == [(x.start, x.end) for x in said]:
            anchor = said[0].id
        if anchor in _targets(self.env).get(page, []) and not _is_inside(link, anchor):
            link["classes"].append("to")
            at = {"refuri": f"{file}#{anchor}"} if file else {"refid": anchor}
            link.attributes |= at

    def _link(self, text: nodes.Text) -> None:
        source, at, parts = text.astext(), 0, []
        for found in self._read(text, source):
            page = self._page(found)
            if page is None:
                self._warn(found, text, source)
                continue
            if _is_inside(text, found.id) and page == self.env.docname:
                continue
            parts += [nodes.Text(source[at : found.start])] if found.start > at else []
            parts.append(
                self._reference(page, found.id, source[found.start : found.end])
            )
            at = found.end
        if parts:
            parts += [nodes.Text(source[at:])] if at < len(source) else []
            at = _place(text)
            text.parent[at : at + 1] = parts

    def _read(self, text: nodes.Text, source: str) -> list[Found]:
        cell = _has_above(text, nodes.entry)
        found = [*statements(source), *equations(source, self._page_after(text), cell)]
        if _touches(text):
            found = [each for each in found if each.start]
        if chapter_number(self.env.docname) is None:  # "(3)" alone means nothing there
            found = [each for each in found if each.page or "equation" not in each.id]
        return sorted(found, key=lambda each: each.start)

    def _page_after(self, text: nodes.Text) -> str:
        """The chapter that is linked right after a text: "(7) of [chapter 7](...)"."""
        for after in text.parent[_place(text) + 1 :][:1]:
            if isinstance(after, nodes.reference):
                return self.pages.get(after.get("refuri", "").partition("#")[0], "")
        return ""

    def _page(self, found: Found) -> str | None:
        """The page that has the target, this one first."""
        targets = _targets(self.env)
        if "equation" in found.id:
            start = found.page or self.env.docname
            pages = [page for page in targets if page.startswith(start)]
        else:
            pages = sorted(_chapters(self.env))
        has = [page for page in pages if found.id in targets[page]]
        return has[0] if has else None

    def _reference(self, page: str, name: str, text: str) -> nodes.reference:
        uri = self.app.builder.get_relative_uri(self.env.docname, page)
        here = page == self.env.docname
        target = {"refid": name} if here else {"refuri": f"{uri}#{name}"}
        return nodes.reference("", text, internal=True, classes=["to"], **target)

    def _warn(self, found: Found, text: nodes.Text, source: str) -> None:
        if found.optional:
            return
        where = "any chapter"
        if "equation" in found.id:
            other = chapter_number(found.page)
            where = f"chapter {other}" if other else "this chapter"
        said = " ".join(source[found.start : found.end].split())
        logger.warning(
            "%r names nothing: there is no %s in %s",
            *(said, found.id, where),
            location=_located(text),
            type="references",
        )


def _place(text: nodes.Text) -> int:
    """Where a text stands in its parent, which may have another one equal to it."""
    return next(i for i, each in enumerate(text.parent) if each is text)


def _join(document: nodes.document) -> None:
    """Make one text of neighbors: MyST keeps the end of a line apart."""
    for parent in list(document.findall(nodes.TextElement)):
        joined: list[nodes.Node] = []
        for node in parent:
            last = joined[-1] if joined else None
            if isinstance(node, nodes.Text) and isinstance(last, nodes.Text):
                joined[-1] = nodes.Text(last + node)
            else:
                joined.append(node)
        parent[:] = joined


def _located(text: nodes.Text) -> nodes.Element:
    node = text.parent
    while node.parent is not None and node.line is None:
        node = node.parent
    return node


def _is_read(text: nodes.Text) -> bool:
    return not _has_above(text, UNREAD)


def _has_above(node: nodes.Node, kinds) -> bool:
    while (node := node.parent) is not None:
        if isinstance(node, kinds):
            return True
    return False


def _is_inside(node: nodes.Node, name: str) -> bool:
    while (node := node.parent) is not None:
        if name in node.get("ids", []):
            return True
    return False


def _touches(text: nodes.Text) -> bool:
    """True where a text goes on behind a formula or code, as in ``$f$(2)``."""
    at = _place(text)
    before = text.parent[at - 1] if at else None
    return isinstance(before, nodes.math | nodes.literal)


# What a link shows


def _write_previews(app: Sphinx, page, template, context, document) -> None:
    """Write what stands in a chapter's targets, for the links of other pages."""
    if document is None or chapter_number(page) is None:
        return
    ids = _targets(app.env)[page]
    shown = {
        name: app.builder.render_partial(node.deepcopy())["fragment"]
        for node in document.findall(nodes.Element)
        for name in node.get("ids", [])
        if name in ids
    }
    path = Path(app.outdir, "previews", f"{page}.js")
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(shown, ensure_ascii=False, indent=0, sort_keys=True)
    path.write_text(f"references.show({json.dumps(page)}, {text});\n", encoding="utf-8")
