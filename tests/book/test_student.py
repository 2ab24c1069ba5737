"""A class gets the chapters with every question and no answer."""

import ast

import nbformat
import pytest
import student
from chapters import ROOT, chapters, is_set_up
from execute import KERNEL
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rules import CHECK_OF_EXERCISE

EXERCISE = """\
> **Exercise 5.1 (predict first).** How much?
>
> <details><summary>Hint</summary>
>
> Not much.
>
> </details>
>
> <details><summary>Solution</summary>
>
> Forty-two.
>
> </details>"""
ANSWERS = """\
<details><summary>Answers, and where they are derived</summary>

1. Forty-two.

</details>

## What follows"""
CURIOUS = "Text.\n\n<details><summary>For the curious</summary>\n\nMore.\n\n</details>"
PREDICTION = "prediction = ...  # exercise 5.1: your number, before you look"
CHECK = (
    f"{CHECK_OF_EXERCISE}5.1\ncheck('Exercise 5.1', 'number', 42, near=42, within=0)"
)


def toy():
    printed = new_output("stream", name="stdout", text="forty-two")
    return new_notebook(
        cells=[
            new_markdown_cell(EXERCISE),
            new_code_cell(PREDICTION, metadata={"tags": ["prediction"]}),
            new_code_cell(CHECK, outputs=[printed], execution_count=2),
            new_markdown_cell(ANSWERS),
            new_markdown_cell(CURIOUS),
            new_markdown_cell(ANSWERS.partition("\n\n##")[0]),
        ],
        metadata={"sirenlib": {"fingerprint": "0"}, "kernelspec": KERNEL},
    )


def test_answers_go_and_questions_stay():
    notebook = toy()
    before = nbformat.writes(notebook)
    found = student.student(notebook)
    assert nbformat.writes(notebook) == before
    nbformat.validate(found)
    exercise, prediction, measure, after, curious = found.cells
    assert exercise.source == EXERCISE.partition("\n>\n> <details><summary>Sol")[0]
    assert prediction == notebook.cells[1]
    assert measure.source == "# Measure it here: exercise 5.1."
    assert (measure.outputs, measure.execution_count) == ([], None)
    assert after.source == "## What follows" and curious.source == CURIOUS
    assert set(found.metadata) == {"kernelspec"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class") / "student"
    return {path.name: path for path in student.write(folder)}


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_chapter_has_its_questions_and_no_answer(path, written):
    whole = nbformat.read(path, as_version=4)
    found = nbformat.read(written[path.name], as_version=4)
    text = nbformat.writes(found)
    assert not any(f"<summary>{word}" in text for word in ("Solution", "Answers"))
    assert CHECK_OF_EXERCISE not in text
    for kept in ("prediction = ...", "<summary>Hint", "(predict first)"):
        assert text.count(kept) == nbformat.writes(whole).count(kept)
    sources = [cell.source for cell in found.cells]
    exercises = [i for i, text in enumerate(sources) if text.startswith("> **Exercise")]
    assert exercises
    for i in exercises:
        assert sources[i].startswith("> **") and "\n\n" not in sources[i]
        assert sources[i + 1].startswith("prediction = ")
        assert sources[i + 2].startswith("# Measure it here")
    code = [cell.source for cell in whole.cells if cell.cell_type == "code"]
    kept = [each for each in code if not each.startswith(CHECK_OF_EXERCISE)]
    assert [s for s in sources if s in kept] == kept


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_no_later_cell_needs_a_name_of_a_check(path):
    """So the chapter without its checks runs to its end."""
    made, needed = set(), set()
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code" or is_set_up(cell.source):
            continue
        check = cell.source.startswith(CHECK_OF_EXERCISE)
        stored, loaded = names(cell.source)
        if not check:
            needed |= loaded & made
            made -= stored
        else:
            made |= stored
    assert needed == set()


def names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell makes, and those that it takes from elsewhere."""
    tree = ast.parse(source)
    stored = {
        getattr(node, "name", getattr(node, "id", ""))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    }
    stored |= {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    loaded = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return stored, loaded - stored


def test_folder_is_not_in_the_repository():
    assert "build/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert student.FOLDER == ROOT / "build" / "student"
