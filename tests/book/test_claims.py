"""The page of all claims has the chapters' boxes, and what their outputs say."""

import json
import re

import claims
import nbformat
import pytest
from chapters import ROOT, Chapter, chapters
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

LINES = [
    "✓ Lemma 1.1       KS distance, |F - G|                0.0007 ≤ 0.0016   (N draws)",
    "✓ Claim 5.1       terms of the sum                    3 = 3",
    "✓ Ringing         overshoot                           0.10 ≥ 0.03",
    "✓ Lemma 1.1       rounding error                      < 1e-12",
    "✓ Exercise 1.1    a mean                              0.5 ≈ 0.5 ± 0.02, not 1.0",
]
BOXES = r"""# 5. A lemma

> **Lemma 1.1.** Put (1) and (2) into
>
> $$x = f(3)
> \tag{3}
> $$
>
> and $g$(4).

> **Claim 5.1 (a sum).** As (1) of chapter 4 says.

> **Claim 5.2 (a hope).** Nobody measured it.

> **Exercise 1.1.** What?
"""


@pytest.fixture
def toy(tmp_path):
    """A book whose only chapter has the boxes and the lines above."""
    (tmp_path / "book").mkdir()

    def said(*lines, name="stdout"):
        text = "\n".join(lines) + "\n"
        outputs = [new_output("stream", name=name, text=text)]
        return new_code_cell("check(...)", outputs=outputs)

    cells = [
        new_markdown_cell(BOXES),
        said("3 dB, ✓ and so on", *LINES[:3]),
        said(*LINES, name="stderr"),
        said(*LINES[3:]),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "book" / "05_lemma.ipynb")
    claims.write(tmp_path)
    return tmp_path / "book"


@pytest.mark.parametrize(
    ("name", "make"), [("claims.md", claims.page), ("claims.json", claims.data)]
)
def test_page_has_every_claim_of_the_chapters(name, make):
    committed = (ROOT / "book" / name).read_text(encoding="utf-8")
    stale = f"book/{name} is not what the chapters' outputs say: run `make execute`"
    assert committed == make(), stale


def test_book_has_many_claims():
    found = {
        (path.name, check.statement, check.quantity)
        for path in chapters()
        for _, check in Chapter(path, nbformat.read(path, as_version=4)).checks()
    }
    assert len(found) >= 40


def block(*lines: str) -> str:
    return "\n\n```checks\n" + "\n".join(lines) + "\n```\n"


def test_box_stands_above_its_lines(toy):
    page = (toy / "claims.md").read_text("utf-8")
    head, _, section = page.partition("\n## [5. A lemma](05_lemma.ipynb)\n")
    opening = " ".join(head.split())
    assert "These are the 3 boxes" in opening and "There are 5 of them" in opening
    assert "Boxes that no line belongs to: 1." in opening
    boxes, *folds = section.split("\n<details>\n<summary>")
    _, lemma, claim, hope = re.split(r"\n(?=> \*\*)", boxes)
    assert lemma == (
        "> **Lemma 1.1.** Put (1) and (2) of chapter 5 into\n>\n> $$x = f(3)\n> $$\n"
        ">\n> and $g$(4)." + block(LINES[0], LINES[3])
    )
    assert claim == (
        "> **Claim 5.1 (a sum).** As (1) of chapter 4 says." + block(LINES[1])
    )
    assert hope.startswith("> **Claim 5.2 (a hope).** Nobody measured it.\n\n*Proved")
    assert "✓" not in hope
    other, exercises = folds
    assert other.startswith("Other lines of this chapter: 1<") and LINES[2] in other
    assert exercises.startswith("Exercises of") and LINES[4] in exercises


def test_machines_read_the_same(toy):
    found = json.loads((toy / "claims.json").read_text("utf-8"))
    lemma, claim, hope = found["statements"]
    assert lemma["address"] == "05_lemma.html#lemma-1-1"
    assert lemma["sentence"].startswith("Put (1) and (2) into\n\n$$x = f(3)\n\\tag{3}")
    assert [check["quantity"] for check in lemma["checks"]] == [
        "KS distance, |F - G|",
        "rounding error",
    ]
    assert (claim["statement"], claim["title"]) == ("Claim 5.1", "a sum")
    assert claim["chapter"] == 5 and claim["checks"][0]["bound"] == "3"
    assert hope["checks"] == []
    ringing, exercise = found["others"]
    assert ringing["statement"] == "Ringing" and ringing["address"] == "05_lemma.html"
    assert exercise["against"] == "1.0"


# The built page


@pytest.mark.slow
def test_each_claim_has_an_address_that_leads_to_its_box(site):
    page = (site / "claims.html").read_text("utf-8")
    built = json.loads((site / "claims.json").read_text("utf-8"))
    assert built == json.loads((ROOT / "book" / "claims.json").read_text("utf-8"))
    assert len(built["statements"]) >= 60
    for each in built["statements"]:
        file, _, anchor = each["address"].partition("#")
        assert f'id="{anchor}"' in (site / file).read_text("utf-8"), each["address"]
        assert f'<blockquote id="{anchor}">' in page
        name = re.escape(each["statement"])
        box = rf'<strong><a class="to [^"]*" href="{each["address"]}">{name}</a>'
        assert re.search(box, page), name
