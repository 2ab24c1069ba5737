"""What `check` printed is a badge in the site, and a sentence for who listens."""

from pathlib import Path

import badges
import prose
import pytest
from execute import KERNEL, LANGUAGE
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_site import DESK, PHONE, address, every_page, open_page

from sirenlib.checks import Check

slow = pytest.mark.slow

LINES = """\
before -1
✓ Claim 5.1       slope, layer -1         -0.52 ≈ -0.50 ± 0.05, not -1.00   (10 x)
✓ Claim 5.1       a second <line>                     < 2e-14
between
✓ Ringing         overshoot                           0.10 ≥ 0.03
✓ Claim 5.1       a third                             1 = 1
"""
LATER = "✓ Claim 5.1       printed later                       0.3 ≤ 0.4\nafter\n"
FENCED = """
# Elsewhere

```checks
✓ Claim 5.1       fenced                              0.1 ≤ 0.4
✓ Claim 5.1       fenced, too                         0.2 ≤ 0.4
```

```text
✓ Claim 5.1       an example of a line                0.1 ≤ 0.4
```
"""


def printed(*texts: str):
    """A cell that printed these texts, with a picture of letters between them."""
    outputs = []
    for text in texts:
        name = "stderr" if text.startswith("oh") else "stdout"
        outputs += [new_output("stream", name=name, text=text)]
        outputs += [new_output("display_data", {"text/plain": "a picture"})]
    return new_code_cell("check(...)", outputs=outputs, execution_count=1)


CELLS = [
    new_markdown_cell("# A lemma\n\n> **Claim 5.1 (a sum).** Text."),
    printed(LINES, LATER),
    printed(LATER),
    printed(
        "oh ✓ no\n✓ Claim 5.1       on stderr                           0.3 ≤ 0.4\n"
    ),
]
DATA = {"kernelspec": KERNEL, "language_info": LANGUAGE}
PAGES = {
    "index.md": "# A book\n\nText.",
    "05_lemma.ipynb": new_notebook(cells=CELLS, metadata=DATA),
    "elsewhere.md": FENCED,
}


@pytest.fixture(scope="module")
def small(small_book) -> Path:
    site, warnings = small_book(PAGES)
    assert warnings == []
    return site


SEEN = """() => {
  const all = (from, what) => [...from.querySelectorAll(what)];
  return all(document, ".cell_output, article > section > ul.checks").map((cell) => ({
    seen: all(cell, "p.check").filter((each) => each.checkVisibility())
      .map((each) => each.querySelector(".quantity").textContent),
    folds: all(cell, "summary").map((each) => each.textContent),
    folded: all(cell, "details p.check .quantity").map((each) => each.textContent),
    other: all(cell, "pre").map((each) => each.textContent.trim()),
  }));
}"""


@pytest.fixture
def opened(chromium, small):
    contexts = []

    def open_it(name: str):
        page = open_page(chromium, address(small, name), DESK)
        contexts.append(page.context)
        return page

    yield open_it
    for context in contexts:
        context.close()


def test_one_line_a_statement_and_cell_is_seen(opened):
    first, second, errors = opened("05_lemma").evaluate(SEEN)
    assert first == {
        "seen": ["slope, layer −1", "overshoot"],
        "folds": ["and 3 more"],
        "folded": ["a second <line>", "a third", "printed later"],
        "other": ["before -1", "between", "a picture", "after", "a picture"],
    }
    assert (second["seen"], second["folds"]) == (["printed later"], [])
    assert errors["seen"] == [] and "on stderr" in errors["other"][0]


def test_fenced_lines_are_badges_too(opened):
    page = opened("elsewhere")
    [found] = page.evaluate(SEEN)
    assert found["seen"] == ["fenced"] and found["folds"] == ["and 1 more"]
    assert "an example" in page.locator("pre").text_content()


def test_badge_leads_to_its_box_and_is_a_sentence(opened):
    page = opened("elsewhere")
    links = page.locator("p.check a.to").evaluate_all("(all) => all.map((x) => x.href)")
    assert [link.rsplit("/")[-1] for link in links] == ["05_lemma.html#claim-5-1"] * 2
    page = opened("05_lemma")
    assert page.locator("p.check a.to").count() == 5  # not at "Ringing"
    heard = page.locator("p.check").first.evaluate(
        """(line) => {
          const copy = line.cloneNode(true);
          copy.querySelectorAll("[aria-hidden]").forEach((each) => each.remove());
          return copy.textContent.replace(/\\s+/g, " ");
        }"""
    )
    assert heard == (
        "Checked: Claim 5.1: slope, layer −1 10 x: measured minus 0.52, predicted "
        "minus 0.50 within 0.05; minus 1.00 would not have passed."
    )
    spoken = page.locator("p.check .spoken").evaluate_all(
        "(all) => Math.max(...all.map((each) => each.getBoundingClientRect().width))"
    )
    assert spoken <= 1


def test_notebook_to_download_has_plain_lines(small):
    [notebook] = small.rglob("05_lemma.ipynb")
    assert "✓ Claim 5.1       a third " in notebook.read_text("utf-8")


@pytest.mark.parametrize(
    ("line", "shown", "said"),
    [
        (
            "✓ A       b   -0.5 ≈ -0.4 ± 0.2",
            "−0.5 ≈\N{NO-BREAK SPACE}−0.4 ±\N{NO-BREAK SPACE}0.2",
            "measured minus 0.5, predicted minus 0.4 within 0.2",
        ),
        (
            "✓ A       b   < 1e-07",
            "&lt;\N{NO-BREAK SPACE}10<sup>−7</sup>",
            "below 1e-07",
        ),
        (
            "✓ A       b   3 = 3, not 4",
            "3 =\N{NO-BREAK SPACE}3, not\N{NO-BREAK SPACE}4",
            "counted 3, and it has to be 3; 4 would not have passed",
        ),
        (
            "✓ A       b   1,024 ≤ 2,000",
            "1,024 ≤\N{NO-BREAK SPACE}2,000",
            "measured 1,024, at most 2,000",
        ),
        (
            "✓ A       b   2 ≥ 1",
            "2 ≥\N{NO-BREAK SPACE}1",
            "measured 2, at least 1",
        ),
    ],
)
def test_result_is_shown_and_said(line, shown, said):
    check = Check.parse(line)
    assert (badges.result(check), badges.said(check)) == (shown, said)


def test_signs_and_powers():
    assert badges.number("from -1 to -.5, U(-2, 2)") == "from −1 to −.5, U(−2, 2)"
    assert badges.number("a-1, 10-12, Runge-Kutta") == "a-1, 10-12, Runge-Kutta"
    assert badges.number("2e-14 & 1e+06") == "2·10<sup>−14</sup> &amp; 10<sup>6</sup>"
    assert badges.number("1e, e-5, 0x1e5g") == "1e, e-5, 0x1e5g"


# The pages of the book

PARTS = """() => {
  document.querySelectorAll("details").forEach((fold) => fold.open = true);
  const lines = [...document.querySelectorAll("p.check")];
  const parts = lines.flatMap((line) =>
    [...line.querySelectorAll(".statement, .quantity, .note, .result")]);
  const high = (part) => part.getBoundingClientRect().height >
    1.6 * parseFloat(getComputedStyle(part).lineHeight);
  const wide = (part) => part.getBoundingClientRect().right >
    part.closest("ul").getBoundingClientRect().right + 0.5;
  return {
    lines: lines.length,
    broken: parts.filter(high).map((part) => part.textContent),
    wide: parts.filter(wide).map((part) => part.textContent),
    tall: lines.filter((line) => line.getBoundingClientRect().height > 60).length,
  };
}"""


@slow
@every_page
def test_parts_of_a_badge_stay_whole(name, chromium, site):
    page = open_page(chromium, address(site, name), {"width": 1280, "height": 900})
    found = page.evaluate(PARTS)
    assert (found["broken"], found["wide"], found["tall"]) == ([], [], 0)
    page.set_viewport_size(PHONE)
    assert page.evaluate(PARTS)["wide"] == []
    page.context.close()
    source = (site / f"{name}.html").read_text("utf-8")
    printed = [tag for tag, attributes in prose.tags(source) if tag == "p"]
    assert found["lines"] <= len(printed)
