"""Write the chapters without their solutions, for a class.

``python tools/student.py`` writes them into ``build/student/``. Out go the folded
solutions and answers, and the code and the output of every check of an exercise. The
hints stay, and so do the cells in which a prediction is written down. Under each of
them there is a cell for the measurement.
"""

import copy
import re
import sys
from pathlib import Path

import nbformat
from chapters import ROOT, chapters
from fingerprint import PACKAGE
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from rules import CHECK_OF_EXERCISE

FOLDER = ROOT / "build" / "student"
MEASURE = "# Measure it here: exercise {}."

# A fold, in a quote or outside of one, with the blank line before it.
SOLUTION = re.compile(
    r"(?:^(?:>[ ]?)?\n)?"
    r"^(?:> )?<details><summary>(?:Solution|Answers)\b.*?</details>[ ]*\n?",
    re.DOTALL | re.MULTILINE,
)


def student(notebook: NotebookNode) -> NotebookNode:
    """A copy of the notebook without what its exercises ask for."""
    found = copy.deepcopy(notebook)
    found.metadata.pop(PACKAGE, None)  # its code is no longer what was executed
    cells = [_without_solution(cell) for cell in found.cells]
    found.cells = [cell for cell in cells if cell.source]
    return found


def _without_solution(cell: NotebookNode) -> NotebookNode:
    if cell.cell_type == "markdown":
        cell.source = SOLUTION.sub("", cell.source).strip("\n")
    elif cell.source.startswith(CHECK_OF_EXERCISE):
        name = cell.source.splitlines()[0].removeprefix(CHECK_OF_EXERCISE)
        return new_code_cell(MEASURE.format(name), id=cell.get("id"))
    return cell


def write(folder: Path = FOLDER, root: Path = ROOT) -> list[Path]:
    """Write every chapter into the folder, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in chapters(root):
        notebook = student(nbformat.read(path, as_version=4))
        nbformat.write(notebook, folder / path.name)
        written.append(folder / path.name)
    return written


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    print(f"{len(write(folder))} notebooks are in {folder}")
