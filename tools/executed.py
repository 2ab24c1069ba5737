"""A Sphinx extension: each chapter says when it was executed, and with what.

`tools/execute.py` keeps that in the notebook's metadata.
"""

import datetime
import platform
from importlib.metadata import version

import nbformat
from docutils import nodes
from sphinx.application import Sphinx

NAMES = {"torch": "PyTorch", "numpy": "NumPy", "matplotlib": "Matplotlib"}


def today() -> dict[str, str]:
    """The date and the versions, as an executed chapter keeps them."""
    date = datetime.date.today().isoformat()
    found = {name: version(name).partition("+")[0] for name in NAMES}
    return {"date": date, "python": platform.python_version(), **found}


def sentence(executed: dict[str, str]) -> str:
    """The line at the end of a page."""
    date = datetime.date.fromisoformat(executed["date"])
    found = [f"Python {executed['python']}"]
    found += [f"{shown} {executed[name]}" for name, shown in NAMES.items()]
    with_what = ", ".join(found[:-1]) + " and " + found[-1]
    return f"Executed on {date.day} {date:%B %Y} on a CPU, with {with_what}."


def setup(app: Sphinx) -> dict:
    app.connect("doctree-read", _append)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _append(app: Sphinx, document: nodes.document) -> None:
    path = app.env.doc2path(app.env.docname)
    if not path.endswith(".ipynb"):
        return
    metadata = nbformat.read(path, as_version=4).metadata
    executed = metadata.get("sirenlib", {}).get("executed")
    sections = list(document.findall(nodes.section))
    if executed and sections:
        text = sentence(executed)
        sections[0].append(nodes.paragraph(text, text, classes=["executed"]))
