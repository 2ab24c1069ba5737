"""The reference has every public name and its chapter, the references every paper."""

import importlib
import inspect
import pkgutil
import re

import nbformat
import pytest
from chapters import ROOT, chapters
from fingerprint import exports

import sirenlib

BOOK = ROOT / "book"
PAGE = (BOOK / "reference.md").read_text(encoding="utf-8")
LEFT_OUT = {"sirenlib.__main__", "sirenlib.results"}
FOUND = pkgutil.walk_packages(sirenlib.__path__, "sirenlib.")
MODULES = sorted({module.name for module in FOUND} - LEFT_OUT)

# The rows of the page's tables: the names, each with what it is shown as, and the rest.
ROW = re.compile(r"^\| (\{py:obj\}.*?) \| (.*) \|$", re.MULTILINE)
NAME = re.compile(r"\{py:obj\}`(\S+) <(\S+)>`")


def public(module: str) -> dict[str, object]:
    """The functions and classes that a module defines for others, by full name."""
    return {
        f"{module}.{name}": thing
        for name, thing in vars(importlib.import_module(module)).items()
        if (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__ == module
        and not name.startswith("_")
    }


def shown() -> dict[str, str]:
    """What each name in the tables is shown as."""
    pairs = [NAME.findall(names) for names, _ in ROW.findall(PAGE)]
    return {full: short for row in pairs for short, full in row}


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_a_row(module):
    schemes = set(sirenlib.SCHEMES.values())  # they share the row of SCHEMES
    missing = {
        name
        for name, thing in public(module).items()
        if name not in shown() and not (inspect.isfunction(thing) and thing in schemes)
    }
    hint = "give each a row in book/reference.md, with its chapter or `no chapter`"
    assert missing == set(), hint


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_documented(module):
    assert f".. automodule:: {module}\n   :members:" in PAGE
    bare = [name for name, thing in public(module).items() if not thing.__doc__]
    assert bare == [], "autodoc leaves out what has no docstring"


def test_names_are_shown_as_they_are_imported():
    names = {f"sirenlib.{name}" for name in exports(ROOT / "sirenlib")}
    names |= {f"viewer.{name}" for name in exports(ROOT / "sirenlib" / "viewer")}
    others = {full: short for full, short in shown().items() if short not in names}
    assert names == set(shown().values()) - set(others.values())
    assert others == {full: full.removeprefix("sirenlib.") for full in others}


def test_every_row_names_a_chapter_or_none():
    for names, place in ROW.findall(PAGE):
        linked = re.findall(r"\]\((\d\d_\w+\.ipynb)", place)
        assert linked or place.startswith("no chapter"), names
        assert all((BOOK / chapter).is_file() for chapter in linked), names


def test_every_paper_that_is_linked_is_in_the_references():
    texts = [page.read_text(encoding="utf-8") for page in BOOK.glob("*.md")]
    for path in chapters():
        cells = nbformat.read(path, as_version=4).cells
        texts += [cell.source for cell in cells]
    linked = set(re.findall(r"arxiv\.org/\w+/(\d{4}\.\d{4,5})", "\n".join(texts)))
    entries = (BOOK / "references.bib").read_text(encoding="utf-8")
    missing = linked - set(re.findall(r"eprint\s*=\s*\{(\S+)\}", entries))
    assert linked and missing == set(), "give each an entry in book/references.bib"
