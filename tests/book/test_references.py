"""Every entry of the bibliography is linked from a chapter or a page."""

from pathlib import Path
from urllib.parse import unquote

import pytest
from chapters import ROOT
from prose import text, tokens
from pybtex.database import parse_file, parse_string

from sirenlib import SCHEMES
from sirenlib.citations import ENTRIES, INITIALIZATIONS

BOOK = ROOT / "book"
PREFIXES = {
    "eprint": "https://arxiv.org/abs/",
    "doi": "https://doi.org/",
    "url": "",
}


def addresses(entry) -> set[str]:
    """Where an entry of the bibliography can be read."""
    return {
        prefix + entry.fields[field]
        for field, prefix in PREFIXES.items()
        if field in entry.fields
    }


def unlinked(book: Path) -> list[str]:
    """The keys of the entries that no page links to, by any of their addresses."""
    pages = [*book.glob("*.ipynb"), *book.glob("*.md")]
    links = {
        unquote(token.attrs["href"])
        for page in pages
        for token in tokens(text(page))
        if token.type == "link_open"
    }
    entries = parse_file(book / "references.bib").entries
    return [key for key, entry in entries.items() if not addresses(entry) & links]


def test_every_reference_is_linked():
    left = unlinked(BOOK)
    assert left == [], "link them where they are used, or take them out"


def fields(entry) -> dict[str, str]:
    """All that an entry says, however its lines are broken."""
    said = {name: " ".join(text.split()) for name, text in entry.fields.items()}
    authors = [str(person) for person in entry.persons.get("author", [])]
    return {"type": entry.type, **said, "authors": authors}


def test_library_cites_what_the_bibliography_has():
    """And the book as the README says it."""
    entries = dict(parse_file(BOOK / "references.bib").entries)
    readme = (ROOT / "README.md").read_text("utf-8")
    itself = readme.partition("```bibtex\n")[2].partition("```")[0]
    entries |= parse_string(itself, "bibtex").entries
    cited = parse_string(ENTRIES, "bibtex").entries
    assert len(cited) > 5 and "sinenetworks2026" in cited
    for key, entry in cited.items():
        assert fields(entry) == fields(entries[key]), key


def test_library_cites_no_scheme_that_there_is_not():
    assert set(INITIALIZATIONS) < set(SCHEMES)


@pytest.mark.parametrize(
    ("link", "left"),
    [
        ("https://arxiv.org/abs/2006.09661", ["code"]),
        ("https://doi.org/10.1000/1", ["code"]),
        ("https://example.org/siren", ["paper"]),
        ("https://arxiv.org/abs/2006.0966", ["paper", "code"]),
    ],
)
def test_an_entry_without_a_link_is_found(link, left, tmp_path):
    (tmp_path / "references.bib").write_text(
        "@misc{paper, eprint = {2006.09661}, doi = {10.1000/1}}\n"
        "@misc{code, url = {https://example.org/siren}}\n"
        "@misc{nowhere, title = {Without an address}}\n"
    )
    (tmp_path / "page.md").write_text(f"# A page\n\nBy [somebody]({link}), 2006.09661.")
    assert unlinked(tmp_path) == [*left, "nowhere"]
