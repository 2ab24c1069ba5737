"""The table of the chapters, in the README and on the first page.

Its titles are those of the chapters. The question beside each is written in the README.
`make execute` puts the table where it belongs.
"""

import re
from pathlib import Path

import nbformat
from chapters import ROOT, chapters
from marks import between, put

NAME, INDEX = "chapters", Path("book", "index.md")
ROW = re.compile(r"^\| (\d+) \| \[.*?\]\(book/(.*?)\) \| (.*) \|$", re.MULTILINE)


def questions(readme: str) -> dict[int, str]:
    """What each chapter asks, by its number."""
    _, table, _ = between(readme, NAME)
    return {int(number): asked for number, _, asked in ROW.findall(table)}


def table(root: Path, folder: str) -> str:
    """The table, with addresses that begin with a folder.

    Raises:
        ValueError: the README has no question for a chapter.
    """
    asked = questions((root / "README.md").read_text(encoding="utf-8"))
    rows = ["| no. | chapter | its question |", "| --- | --- | --- |"]
    for path in chapters(root):
        first = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0]
        number, title = re.fullmatch(r"# (\d+)\. (.*)", first).groups()
        if int(number) not in asked:
            raise ValueError(f"README.md has no row for chapter {number}: add it")
        question = asked[int(number)]
        rows.append(f"| {number} | [{title}]({folder}{path.name}) | {question} |")
    return "\n".join(rows) + "\n"


def write(root: Path = ROOT) -> None:
    """Put the table into both pages."""
    put(root / "README.md", NAME, table(root, "book/"))
    put(root / INDEX, NAME, table(root, ""))


if __name__ == "__main__":
    write()
