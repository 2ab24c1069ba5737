"""Count the library's lines of code, and print them in the reference.

``python tools/sizes.py`` writes the paragraph between the marks in
``book/reference.md``. `make execute` ends with it.
"""

import re
from pathlib import Path
from textwrap import fill

from chapters import ROOT
from fingerprint import bare
from marks import put

# What the chapters explain line by line. What lies around it is counted beside it:
# files, pictures, checkpoints, figures, the command line.
CORE = (
    "signals",
    "metrics",
    "checks",
    "theory",
    "initialization",
    "siren",
    "quilt",
    "derivatives",
    "steps",
    "fitting",
)
LIMIT = 1300
SENTENCE = """\
The library is small, and a test keeps it so. Its core has {core:,} lines of code, and
fewer than {limit:,} are allowed. To the core belong
{names}.
The pages that are alive have {viewer:,} lines of Python and {scripts:,} of JavaScript.
Everything else has {rest:,}. Comments, docstrings and blank lines do not count.
"""


def code_lines(path: Path) -> int:
    """The lines of a Python file without comments, docstrings and blank lines."""
    return len(bare(path.read_text(encoding="utf-8")).split("\n"))


def lines(package: Path = ROOT / "sirenlib") -> dict[str, int]:
    """The lines of code of the core, of the viewers and of the rest."""
    counted = {"core": 0, "viewer": 0, "rest": 0}
    for path in package.rglob("*.py"):
        part = "core" if path.stem in CORE and path.parent == package else "rest"
        counted["viewer" if path.parent.name == "viewer" else part] += code_lines(path)
    return counted


def scripts(package: Path = ROOT / "sirenlib") -> int:
    """The lines of JavaScript that are neither blank nor comments of whole lines."""
    text = "\n".join(path.read_text("utf-8") for path in package.rglob("*.js"))
    text = re.sub(r"^ */[*].*?[*]/$", "", text, flags=re.DOTALL | re.MULTILINE)
    code = [line for line in map(str.strip, text.split("\n")) if line[:2] != "//"]
    return len(list(filter(None, code)))


def sentence() -> str:
    """The paragraph of the reference."""
    names = [f"`{name}`" for name in CORE]
    listed = fill(f"{', '.join(names[:-1])} and {names[-1]}", 88)
    counted = lines()
    return SENTENCE.format(limit=LIMIT, names=listed, scripts=scripts(), **counted)


def write(root: Path = ROOT) -> None:
    """Write the paragraph between its marks."""
    put(root / "book" / "reference.md", "size", sentence())


if __name__ == "__main__":
    write()
