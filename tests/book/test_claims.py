"""The page of all claims has what the chapters' committed outputs say."""

import claims
import nbformat
from chapters import ROOT, Chapter, chapters
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

CHECKED = """\
✓ Lemma 1.1       KS distance, |F - G| of U[a_b]      0.00070 ≤ 0.00163   (1,000 draws)
3 dB, ✓ and so on
✓ Lemma 1.1       rounding error                      < 1e-12
✓ Claim 5.1       terms of the sum                    3 = 3
"""
EXERCISE = "✓ Exercise 1.1    a mean                              0.49 ≈ 0.50 ± 0.02\n"


def said(text, name="stdout"):
    outputs = [new_output("stream", name=name, text=text)]
    return new_code_cell("check(...)", outputs=outputs)


def toy_page(root):
    """The page of a book whose only chapter has the lines above."""
    (root / "book").mkdir()
    cells = [
        new_markdown_cell("# A lemma\n\n> **Claim 5.1 (a sum).** Text.\n\n## Proof"),
        new_markdown_cell("## Proof\n\n### The `sin` of $x$\n\n#### Too deep"),
        said(CHECKED),
        new_markdown_cell("## Exercises"),
        said(EXERCISE, name="stderr"),
        said(EXERCISE),
    ]
    nbformat.write(new_notebook(cells=cells), root / "book" / "05_lemma.ipynb")
    claims.write(root)
    return (root / "book" / "claims.md").read_text(encoding="utf-8")


def test_page_has_every_claim_of_the_chapters():
    committed = (ROOT / "book" / "claims.md").read_text(encoding="utf-8")
    stale = "book/claims.md is not what the chapters' outputs say: run `make execute`"
    assert committed == claims.page(), stale


def test_book_has_many_claims():
    found = {
        (path.name, check.statement, check.quantity)
        for path in chapters()
        for _, check in Chapter(path, nbformat.read(path, as_version=4)).checks()
    }
    assert len(found) >= 40


def test_row_has_place_quantity_sample_and_result(tmp_path):
    page = toy_page(tmp_path)
    assert "There are 4 of them" in page
    assert "## [5. A lemma](05_lemma.ipynb)" in page
    *_, lemma, rounding, claim, exercise = page.splitlines()
    assert lemma == (
        "| [Lemma 1.1](05_lemma.ipynb#the-sin-of-) "
        r"| KS distance, \|F - G\| of U\[a\_b\] (1,000 draws) "
        "| 0.00070 ≤\N{NO-BREAK SPACE}0.00163 |"
    )
    assert claim.startswith("| [Claim 5.1](05_lemma.ipynb#the-sin-of-), a sum | terms")
    assert rounding.endswith("| rounding error | \\<\N{NO-BREAK SPACE}1e-12 |")
    assert (
        "05_lemma.ipynb#exercises" in exercise and "±\N{NO-BREAK SPACE}0.02" in exercise
    )


def test_equal_headings_have_the_anchors_that_myst_gives_them():
    cells = [new_markdown_cell("# One\n\n## Two\n\n## Two\n\n## Two"), said(CHECKED)]
    chapter = Chapter(ROOT / "01_one.ipynb", new_notebook(cells=cells))
    assert claims._anchors(chapter) == {1: "two-1-2", 2: "two-1-2"}
