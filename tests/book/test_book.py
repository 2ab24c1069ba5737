"""The built book: no warning, nothing missing, nothing from another host."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import prose
import pytest
from chapters import chapters

pytestmark = pytest.mark.slow

LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href"}


def loaded(page: Path) -> list[str]:
    """The addresses that a page loads by itself; links to follow are not among them."""
    tags = prose.tags(page.read_text(encoding="utf-8"))
    return [
        attributes[LOADED[tag]]
        for tag, attributes in tags
        if attributes.get(LOADED.get(tag, ""))
        and attributes.get("rel") not in ("canonical", "search", "next", "prev")
    ]


def test_every_chapter_has_a_page(site):
    assert [p.stem for p in chapters() if not (site / f"{p.stem}.html").is_file()] == []


def test_pages_load_nothing_from_another_host(site):
    outside = {
        (page.name, address)
        for page in site.glob("*.html")
        for address in loaded(page)
        if urlsplit(address).netloc
    }
    assert outside == set()


def test_pages_find_everything_they_load(site):
    missing = {
        (page.name, address)
        for page in site.glob("*.html")
        for address in loaded(page)
        if not urlsplit(address).scheme
        and not (page.parent / unquote(urlsplit(address).path)).exists()
    }
    assert missing == set()


def test_every_figure_has_an_alt_text(site):
    without = [p.name for p in site.glob("*.html") if 'alt="_images' in p.read_text()]
    assert without == []
