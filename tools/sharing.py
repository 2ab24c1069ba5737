"""A Sphinx extension: how a page is found, and what a link to it shows.

Each page gets a description: a chapter its question, another page its first sentences.
With a public address (``html_baseurl``) the picture of the cover belongs to it as well.
Nothing is loaded from anywhere. The site's search lists chapters before modules, by the
numbers of ``scorer.js``.
"""

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

QUESTION, LENGTH, PICTURE = "The question.", 200, "cover.png"


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", _rank)
    app.connect("html-page-context", _add)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _rank(app: Sphinx, config) -> None:
    # Sphinx would look for a relative path where the build is started.
    config.html_search_scorer = str(Path(app.srcdir, "_vendor", "scorer.js"))


def _add(app: Sphinx, page: str, template, context: dict, document) -> None:
    if document is None:
        return
    found = description(document)
    title = re.sub("<[^>]+>", "", context.get("title", ""))
    tags = {"og:type": "article", "og:title": title, "og:description": found}
    if app.config.html_baseurl:
        base = app.config.html_baseurl.rstrip("/")
        tags["og:url"] = f"{base}/{app.builder.get_target_uri(page)}"
        tags["og:image"] = f"{base}/{PICTURE}"
    lines = [f'<meta name="description" content="{escape(found)}">']
    lines += [
        f'<meta property="{name}" content="{escape(text)}">'
        for name, text in tags.items()
        if text
    ]
    context["metatags"] = context.get("metatags", "") + "\n" + "\n".join(lines)


def description(document: nodes.document) -> str:
    """A page in a sentence or two, without formulas."""
    paragraphs = [_said(each) for each in document.findall(nodes.paragraph)]
    questions = [each for each in paragraphs if each.startswith(QUESTION)]
    text = (
        questions[0].removeprefix(QUESTION) if questions else " ".join(paragraphs[:2])
    )
    text = " ".join(text.split())
    return text if len(text) <= LENGTH else text[:LENGTH].rsplit(" ", 1)[0] + " …"


def _said(paragraph: nodes.paragraph) -> str:
    """The text of a paragraph; a formula is read without its signs."""
    return re.sub(r"[\\${}]", "", paragraph.astext())
