"""Markdown and HTML as the rules see them: read by the book's own parser."""

import re
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import nbformat
import yaml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.mdit_to_docutils.base import default_slugify
from myst_parser.parsers.mdit import create_md_parser

CONFIG = Path(__file__).resolve().parent.parent / "_config.yml"


@cache
def _parser():
    """The parser with the extensions that the book is built with."""
    extensions = yaml.safe_load(CONFIG.read_text())["parse"]["myst_enable_extensions"]
    config = MdParserConfig(enable_extensions=set(extensions))
    return create_md_parser(config, RendererHTML)


def blocks(text: str) -> list[Token]:
    """The block tokens of a Markdown text."""
    return _parser().parse(text, {})


def tokens(text: str) -> list[Token]:
    """All tokens of a Markdown text, block and inline, in reading order."""
    return [token for block in blocks(text) for token in [block, *_children(block)]]


def _children(block: Token) -> list[Token]:
    return block.children or []


def headings(text: str) -> list[tuple[int, str]]:
    """Level and title of each heading. As in an anchor, mathematics is left out."""
    found = []
    for opening, inline in pairwise(blocks(text)):
        if opening.type == "heading_open":
            kept = [t for t in _children(inline) if t.type in ("text", "code_inline")]
            title = "".join(token.content for token in kept)
            found.append((int(opening.tag[1]), title))
    return found


def anchors(page: Path) -> set[str]:
    """What a link may name after ``#`` in a page: headings down to level 3."""
    found = headings(text(page))
    return {default_slugify(title) for level, title in found if level < 4}


def text(page: Path) -> str:
    """A page, or the Markdown cells of a notebook."""
    if page.suffix != ".ipynb":
        return page.read_text(encoding="utf-8")
    cells = nbformat.read(page, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def displays(text: str) -> list[str]:
    """The displayed formulas of a Markdown text."""
    return [t.content for t in blocks(text) if re.match("math_block|amsmath", t.type)]


class _Tags(HTMLParser):
    """Collects every tag; what stands inside a script is not one."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag):
        self.found.append((f"/{tag}", {}))

    def handle_comment(self, data):
        self.found.append(("!--", {}))


def tags(html: str) -> list[tuple[str, dict[str, str]]]:
    """Name and attributes of every HTML tag; an end tag's name starts with ``/``."""
    parser = _Tags()
    parser.feed(html)
    return parser.found
