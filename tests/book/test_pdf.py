"""The whole book as one PDF."""

import re
import shutil
import subprocess
import sys
import unicodedata

import nbformat
import pdf
import pytest
from chapters import ROOT, chapters
from chromium import NAMES, NO_CHROMIUM, browser
from pypdf import PdfReader
from pypdf.generic import Destination

TOOL = ROOT / "tools" / "pdf.py"


def run(*arguments, **settings) -> subprocess.CompletedProcess:
    command = [sys.executable, TOOL, *arguments]
    return subprocess.run(command, capture_output=True, text=True, **settings)


@pytest.fixture(scope="module")
def book(site, tmp_path_factory):
    if not any(map(shutil.which, NAMES)):
        pytest.skip(NO_CHROMIUM)
    path = tmp_path_factory.mktemp("pdf") / "book.pdf"
    done = run(site, path)
    assert (done.returncode, done.stdout.strip()) == (0, str(path)), done.stderr
    return path


@pytest.fixture(scope="module")
def reader(book):
    return PdfReader(book)


@pytest.fixture(scope="module")
def texts(reader):
    return [page.extract_text() for page in reader.pages]


def words(text: str) -> str:
    """Letters and digits alone, ligatures apart: lines break where they like."""
    return re.sub(r"\W|_", "", unicodedata.normalize("NFKC", text))


def titles() -> list[str]:
    first = [nbformat.read(path, as_version=4).cells[0].source for path in chapters()]
    return [source.splitlines()[0].removeprefix("# ") for source in first]


def destinations(outline: list, depth: int = 0):
    for each in outline:
        if isinstance(each, Destination):
            yield depth, each
        else:
            yield from destinations(each, depth + 1)


@pytest.mark.slow
def test_book_has_a_plausible_size(book, reader):
    assert 300 < len(reader.pages) < 700
    assert book.stat().st_size < 30e6


@pytest.mark.slow
def test_chapters_begin_on_pages_of_their_own(reader, texts):
    starts = [
        (words(each.title), reader.get_destination_page_number(each))
        for depth, each in destinations(reader.outline)
        if depth == 0
    ]
    assert len(starts) == len(pdf.page_names())
    assert {words(title) for title in titles()} <= {title for title, _ in starts}
    for title, number in starts[1:]:
        # The title stands at the head of the page, and is the running head as well.
        assert words(texts[number]).startswith(title), title
        assert words(texts[number]).count(title) >= 2, title


@pytest.mark.slow
def test_mathematics_is_typeset(texts):
    left = [i + 1 for i, text in enumerate(texts) if "$$" in text or "\\frac" in text]
    assert left == []
    assert not any("MathJax" in text for text in texts)


@pytest.mark.slow
def test_solutions_are_open_and_folded_code_is_left_out(texts):
    text = "\n".join(texts)
    assert len(re.findall(r"^Solution$", text, re.MULTILINE)) > 30
    assert "#@title" not in text and "class SineLayer" in text
    assert "Set-up. Does nothing where sirenlib is installed" not in text
    assert "Show the" not in text and "Hide the" not in text


@pytest.mark.slow
def test_links_inside_the_book_stay_inside(reader):
    notes = [
        note.get_object() for page in reader.pages for note in page.get("/Annots", [])
    ]
    links = [note for note in notes if note["/Subtype"] == "/Link"]
    named = [note["/Dest"] for note in links if isinstance(note.get("/Dest"), str)]
    outside = [note["/A"]["/URI"] for note in links if "/URI" in note.get("/A", {})]
    assert len(named) > 300
    assert set(named) <= set(reader.named_destinations)
    assert [url for url in outside if not url.startswith("https://")] == []


@pytest.mark.slow
def test_no_page_is_blank(reader, texts):
    blank = []
    for i, (page, text) in enumerate(zip(reader.pages, texts, strict=True)):
        head, number, *body = text.split("\n")  # a table's last row may stand alone
        if len(words("".join(body))) < 40 and not page.images:
            blank.append((i + 1, head, number, body))
    assert blank == []


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == f"index.html is not in {tmp_path}: run `make book`"

    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(FileNotFoundError, match="pip install"), browser():
        pass


def test_missing_chromium_is_said(tmp_path):
    code = "import chromium\nwith chromium.browser(): pass"
    empty = {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=TOOL.parent,
        env=empty,
        capture_output=True,
        text=True,
    )
    assert NO_CHROMIUM in done.stderr


def test_pages_are_in_the_order_of_the_contents():
    names = pdf.page_names()
    assert names[0] == "index"
    assert [name for name in names if re.match(r"\d", name)] == [
        path.stem for path in chapters()
    ]
