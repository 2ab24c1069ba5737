"""What a link to a page shows where people share it."""

import re

import pytest
import sharing
from docutils import nodes
from docutils.utils import new_document


def page(*paragraphs: str) -> nodes.document:
    document = new_document("page")
    document += [nodes.paragraph(text, text) for text in paragraphs]
    return document


def test_a_chapter_is_described_by_its_question():
    found = sharing.description(page("Before.", "The question. What is $x$?", "After."))
    assert found == "What is x?"


def test_another_page_by_its_beginning():
    assert sharing.description(page("One.", "Two.", "Three.")) == "One. Two."
    long = sharing.description(page("word " * 100))
    assert len(long) < 203 and long.endswith("word …")


@pytest.mark.slow
def test_every_page_has_a_description_of_its_own(site):
    found = {}
    for path in site.glob("*.html"):
        if path.stem in ("genindex", "search", "py-modindex"):
            continue
        text = path.read_text("utf-8")
        [said] = re.findall(r'<meta name="description" content="([^"]{20,})">', text)
        assert 'property="og:title"' in text
        assert not re.search("og:image|og:url|canonical", text)
        found[path.name] = said
    assert len(set(found.values())) == len(found) > 15


@pytest.mark.slow
def test_a_published_page_names_its_address_and_its_picture(build):
    """And the picture is there."""
    site, base = build("https://github.com/owner/name"), "https://owner.github.io/name"
    for name in ("index", "06_through_the_layers"):
        text = (site / f"{name}.html").read_text("utf-8")
        assert re.findall(r'<link rel="canonical" href="([^"]*)"', text) == [
            f"{base}/{name}.html"
        ]
        found = dict(
            re.findall(r'<meta property="og:(url|image)" content="(.*?)"', text)
        )
        assert found["url"] == f"{base}/{name}.html"
        assert (site / found["image"].removeprefix(f"{base}/")).stat().st_size > 10_000
