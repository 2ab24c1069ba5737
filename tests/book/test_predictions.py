"""A reader's numbers: the box of an exercise, what is kept, and the page of them."""

import subprocess
import sys
from pathlib import Path

import chapters
import nbformat
import predictions
import prose
import pytest
from browser import PATIENCE, listen
from chapters import ROOT
from execute import KERNEL, LANGUAGE
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rules import CHECK_OF_EXERCISE, PREDICTION, PREDICTION_TAGS

from sirenlib import Check, check

DATA = {"kernelspec": KERNEL, "language_info": LANGUAGE}

BOX = """\
> **Exercise {name} (predict first).** How much? Write it down.
>
> <details><summary>Hint</summary>
>
> Little.
>
> </details>
>
> <details><summary>Solution</summary>
>
> So much.
>
> </details>"""


def exercise(name, *lines):
    said = new_output("stream", name="stdout", text="".join(f"{x}\n" for x in lines))
    folded = {"tags": ["hide-cell"]}
    return [
        new_markdown_cell(BOX.format(name=name)),
        new_code_cell(PREDICTION.format(name), metadata={"tags": PREDICTION_TAGS}),
        new_code_cell(f"{CHECK_OF_EXERCISE}{name}\n1", outputs=[said], metadata=folded),
    ]


def first_chapter(measured="0.0494"):
    law = Check("Exercise 4.1", "deviation", measured, "≈", "0.0493 ± 0.0017")
    bound = Check("Exercise 4.2", "loss in dB", "1,234.5", "≥", "1,000.0")
    cells = [
        new_markdown_cell("# 4. First\n\n> **Claim 4.1.** True."),
        new_code_cell("1", outputs=[new_output("stream", text=f"{law}\n")]),
        *exercise("4.1", "a line", law, Check("Exercise 4.1", "other", "9", "=", "9")),
        *exercise("4.2", bound),
    ]
    return new_notebook(cells=cells, metadata=DATA)


def second_chapter():
    minus = Check("Exercise 5.1", "a < b", "-0.5752220", "≈", "-0.5752220 ± 0.0000010")
    none = Check("Exercise 5.2", "rounding", "", "<", "1e-09")
    cells = [
        new_markdown_cell("# 5. Second"),
        *exercise("5.1", minus),
        *exercise("5.2", none),
    ]
    return new_notebook(cells=cells, metadata=DATA)


SUMMARY = (ROOT / "book" / "predictions.md").read_text("utf-8")


@pytest.fixture(scope="module")
def small(small_book):
    site, said = small_book(
        {
            "index.md": "# Index",
            "04_first.ipynb": first_chapter(),
            "05_second.ipynb": second_chapter(),
            "predictions.md": SUMMARY,
        }
    )
    assert said == []
    return site


def attributes(site: Path, name: str) -> list[dict]:
    """Of each place of a page that knows an exercise."""
    source = (site / f"{name}.html").read_text("utf-8")
    return [each for _, each in prose.tags(source) if "data-exercise" in each]


# What is known


def test_first_line_of_a_check_is_predicted(tmp_path):
    chapter = chapters.Chapter(tmp_path / "04_first.ipynb", first_chapter())
    found = predictions.exercises(chapter)
    assert [(n, x.quantity) for n, x in found.items()] == [
        ("4.1", "deviation"),
        ("4.2", "loss in dB"),
    ]
    chapter = chapters.Chapter(tmp_path / "05_second.ipynb", second_chapter())
    assert [*predictions.exercises(chapter)] == ["5.1"]  # 5.2 shows no number


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("0.0494", "0.0494"),
        ("-0.5752220", "−0.575222"),
        ("4.0000000000", "4"),
        ("16,256.34", "16,256.3"),
        ("198,401,123", "198,401,123"),
    ],
)
def test_numbers_are_short(text, seen):
    assert predictions.shown(text) == seen


def test_every_exercise_of_the_book_is_known():
    for path in chapters.chapters():
        notebook = nbformat.read(path, as_version=4)
        asked = [cell for cell in notebook.cells if "(predict first)" in cell.source]
        found = predictions.exercises(chapters.Chapter(path, notebook))
        assert len(found) == len(asked) > 0, path.name


# What is built


def test_field_knows_what_the_script_needs(small):
    [one, two] = attributes(small, "04_first")
    assert one == {
        "class": "prediction",
        "data-exercise": "4.1",
        "data-what": "deviation",
        "data-measured": "0.0494",
        "data-shown": "0.0494",
        "data-law": "0.0493",
    }
    assert (two["data-measured"], two["data-shown"]) == ("1234.5", "1,234.5")
    assert "data-law" not in two  # a bound predicts nothing
    [one] = attributes(small, "05_second")
    assert (one["data-what"], one["data-law"]) == ("a < b", "−0.575222")


def test_page_lists_all_exercises_as_links(small):
    names = [each["data-exercise"] for each in attributes(small, "predictions")]
    assert names == ["4.1", "4.2", "5.1"]
    source = (small / "predictions.html").read_text("utf-8")
    assert 'href="04_first.html#exercise-4-2"' in source
    assert "0.0494<" not in source  # nothing is given away


def test_page_is_complete_after_one_chapter_has_changed(small_book):
    pages = {
        "index.md": "# Index",
        "04_first.ipynb": first_chapter(),
        "05_second.ipynb": second_chapter(),
        "predictions.md": SUMMARY,
    }
    site, _ = small_book(pages)
    book = site.parents[1]
    nbformat.write(first_chapter("0.0555"), book / "04_first.ipynb")
    builder = Path(sys.executable).with_name("jupyter-book")
    subprocess.run([builder, "build", "book/"], cwd=book.parent, check=True)
    found = [each["data-measured"] for each in attributes(site, "predictions")]
    assert found == ["0.0555", "1234.5", "-0.5752220"]


# In a browser


@pytest.fixture
def context(chromium):
    """Pages that share what is remembered; nothing may go wrong in them."""
    context = chromium.new_context(offline=True, viewport={"width": 390, "height": 800})
    context.set_default_timeout(PATIENCE)
    said = []
    context.on("page", lambda page: said.append(listen(page)))
    yield context
    context.close()
    assert [each for each in said if each] == []


def visit(context, small, name):
    page = context.new_page()
    page.goto((small / f"{name}.html").as_uri())
    return page


def predict(page, name, number):
    field = page.get_by_label("Your prediction").and_(
        page.locator(f"#prediction-{name.replace('.', '-')}")
    )
    field.fill(str(number))
    field.press("Tab")
    return field


def solution(page, name):
    box = page.locator(f"#exercise-{name.replace('.', '-')}")
    return box.locator("summary", has_text="Solution")


def result(page, name):
    box = page.locator(f"#exercise-{name.replace('.', '-')}")
    return " ".join(box.locator("output").text_content().split())


@pytest.mark.slow
def test_prediction_is_remembered_shown_and_forgotten(context, small):
    page = visit(context, small, "04_first")
    predict(page, "4.1", 0.05)
    assert result(page, "4.1") == ""  # the solution is closed
    page.reload()
    field = page.locator("#prediction-4-1")
    assert field.input_value() == "0.05"
    assert "remembered in this browser only" in field.evaluate(
        "(field) => document.getElementById(field.getAttribute('aria-describedby'))"
        ".textContent"
    )
    solution(page, "4.1").click()
    page.locator("output b").first.wait_for()
    assert result(page, "4.1") == (
        "measured 0.0494 the law gives 0.0493 1.2 % above the measured value"
    )
    solution(page, "4.1").click()
    page.locator("output b").first.wait_for(state="detached")

    second = visit(context, small, "05_second")
    predict(second, "5.1", -2)
    summary = visit(context, small, "predictions")
    assert summary.locator(".no-predictions").is_hidden()
    assert summary.locator(".predicted").text_content() == (
        "You predicted 2 of 3. Of these 1 lies within 10 % of the measured value, "
        "and 1 within a factor of 2."
    )
    rows = summary.locator("tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].map((c) => c.textContent.trim()))"
    )
    assert rows == [
        [
            "Exercise 4.1",
            "deviation",
            "0.05",
            "0.0494",
            "1.2 % above the measured value",
        ],
        ["Exercise 4.2", "loss in dB", "", "", ""],
        ["Exercise 5.1", "a < b", "−2", "−0.575222", "a factor 3.5 too large"],
    ]
    # The other pages follow, and an emptied field is no prediction of 0.
    predict(page, "4.1", "")
    summary.wait_for_function(
        "() => document.querySelector('.predicted').textContent.includes('1 of 3')"
    )
    button = summary.get_by_role("button", name="Forget all predictions")
    summary.once("dialog", lambda dialog: dialog.dismiss())
    button.click()
    assert "1 of 3" in summary.locator(".predicted").text_content()
    summary.once("dialog", lambda dialog: dialog.accept())
    button.click()
    summary.locator(".no-predictions").wait_for()
    assert button.is_hidden()
    second.wait_for_function("() => !document.querySelector('#prediction-5-1').value")


@pytest.mark.slow
def test_page_that_may_not_remember_says_so(context, small):
    context.add_init_script(
        "const keep = Storage.prototype.setItem;"
        "Storage.prototype.setItem = function (key, value) {"
        "  if (key.startsWith('Sine')) throw new DOMException('', 'SecurityError');"
        "  keep.call(this, key, value); };"
    )
    page = visit(context, small, "04_first")
    predict(page, "4.1", 0.1)
    solution(page, "4.1").click()
    page.locator("output b").first.wait_for()
    assert result(page, "4.1").endswith("a factor 2.0 too large")
    note = page.locator("#prediction-4-1-kept").text_content()
    assert note == "this browser does not let the page remember it"


@pytest.mark.slow
def test_script_says_what_check_says(context, small, capsys):
    page = visit(context, small, "05_second")
    solution(page, "5.1").click()
    for number in (-0.575, -0.575222, -0.3, -1.2, -0.287, -77, -0.05, 0, 0.575, 9000):
        predict(page, "5.1", number)
        page.locator("output .deviation").wait_for()
        measured = -0.575222
        check("A", "b", measured, near=measured, within=0, prediction=number)
        printed = capsys.readouterr().out.splitlines()[1].partition(": ")[2]
        assert page.locator("output .deviation").text_content() == printed


@pytest.mark.slow
def test_exercise_is_one_box_and_paper_has_a_line(context, small):
    page = visit(context, small, "04_first")
    box = page.locator("#exercise-4-1")
    assert box.locator("details .cell p.check").count() == 2
    assert page.locator(".bd-article .cell", has_text=PREDICTION[:14]).count() == 0
    order = box.evaluate(
        "(box) => [...box.querySelectorAll('.prediction, summary')]"
        ".map((each) => each.className || each.textContent)"
    )
    assert order[:3] == ["prediction", "Hint", "Solution"]
    assert box.locator(".blank").is_hidden()
    page.emulate_media(media="print")
    assert box.locator(".blank").is_visible()
    assert box.locator("input").is_hidden() and box.locator("label").is_hidden()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["04_first", "predictions"])
def test_everybody_can_predict(name, context, small):
    from axe_playwright_python.base import AXE_SCRIPT

    predict(visit(context, small, "04_first"), "4.1", 0.05)
    page = visit(context, small, name)
    if name != "predictions":
        solution(page, "4.1").click()
        page.locator("output b").first.wait_for()
    page.evaluate(AXE_SCRIPT)
    for theme in ("light", "dark"):
        page.evaluate("(it) => document.documentElement.dataset.theme = it", theme)
        page.evaluate(
            "() => Promise.allSettled(document.getAnimations().map((x) => x.finished))"
        )
        found = page.evaluate("() => axe.run('article', { preload: false })")[
            "violations"
        ]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    wide = "() => document.scrollingElement.scrollWidth <= innerWidth"
    assert page.evaluate(wide)
