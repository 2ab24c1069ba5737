"""The chapters of the book, and the cell that each of them begins with.

Cells count from 1, Markdown cells included. ``python tools/chapters.py`` prints the
set-up cell.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import prose
import yaml

ROOT = Path(__file__).resolve().parent.parent

SET_UP = """\
# Set-up. Does nothing where sirenlib is installed; in Colab it installs it.
import importlib.util
import pathlib
import sys

ADDRESS = "{address}"

if importlib.util.find_spec("sirenlib") is None:
    if "google.colab" not in sys.modules:
        raise ModuleNotFoundError(
            "sirenlib is not installed. Run `pip install -r requirements.txt` "
            "in the repository's folder, inside a virtual environment."
        )
    wheels = sorted(map(str, pathlib.Path().glob("sirenlib-*.whl")))
    if not wheels and not ADDRESS:
        raise ModuleNotFoundError(
            "sirenlib is not here yet. Run `make wheel` in the repository, "
            "upload the file it makes beside this notebook (folder icon at "
            "the left), and run this cell again."
        )
    source = wheels[-1] if wheels else f"sirenlib @ git+{{ADDRESS}}"
    %pip install -q "{{source}}"
"""

STATEMENT = re.compile(
    r"\*\*((?:Lemma|Theorem|Claim|Proposition|Corollary)\b(?: \d+(?:\.\d+)*)?)"
    r"(?: \(([^)]+)\))?"
)


@dataclass(frozen=True)
class Statement:
    """A blockquote that opens as a lemma, a theorem or a claim does.

    ``cell`` counts from 1, ``title`` is what stands in parentheses behind the name, and
    ``source`` is the whole blockquote.
    """

    cell: int
    name: str
    title: str
    source: str


@dataclass(frozen=True)
class Chapter:
    """A notebook and where it lies."""

    path: Path
    notebook: nbformat.NotebookNode

    @property
    def number(self) -> int:
        """The chapter's number, with which its file begins."""
        return int(self.path.name[:2])

    def cells(self, kind: str) -> list[tuple[int, nbformat.NotebookNode]]:
        """The numbered cells of one kind: ``code`` or ``markdown``."""
        numbered = enumerate(self.notebook.cells, 1)
        return [(number, cell) for number, cell in numbered if cell.cell_type == kind]

    def outputs(self) -> list[tuple[int, nbformat.NotebookNode]]:
        """Every output, with the number of its cell."""
        return [(n, out) for n, cell in self.cells("code") for out in cell.outputs]

    def checks(self) -> list:
        """What `sirenlib.check` printed: each `Check`, with the number of its cell."""
        from sirenlib.verify import printed  # imported late: PyTorch takes seconds

        return [
            (number, check)
            for number, output in self.outputs()
            if output.get("name") == "stdout"
            for check in printed(output.text)
        ]

    def statements(self) -> list[Statement]:
        """The boxes of lemmas, theorems and claims, in their order."""
        return [
            each
            for n, cell in self.cells("markdown")
            for each in _boxes(n, cell.source)
        ]


def _boxes(cell: int, text: str) -> Iterator[Statement]:
    blocks, lines = prose.blocks(text), text.splitlines()
    for quote, _, inline in zip(blocks, blocks[1:], blocks[2:], strict=False):
        found = STATEMENT.match(inline.content)
        if quote.type == "blockquote_open" and found:
            source = "\n".join(lines[slice(*quote.map)]).rstrip()
            yield Statement(cell, found[1], found[2] or "", source)


def chapters(root: Path = ROOT) -> list[Path]:
    """The chapters in the order of their numbers."""
    return sorted((root / "book").glob("*.ipynb"))


def public_address(root: Path = ROOT) -> str:
    """Where the book is published; empty while it is not."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return config["repository"]["url"]


def set_up_cell(address: str = "") -> str:
    """The source of the first code cell, the same in every chapter."""
    return SET_UP.format(address=address).rstrip()


def is_set_up(source: str) -> bool:
    """True for a set-up cell, whatever its address or its age."""
    return source.startswith("# Set-up.")


if __name__ == "__main__":
    print(set_up_cell(public_address()))
