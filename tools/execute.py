"""Execute the chapters whose outputs are stale, and record what they depend on.

``python tools/execute.py`` runs what is stale, ``--all`` everything, and chapters
that are named run in any case. A chapter with an error in it stays as it was. With
``--fold`` cells are folded that have got a ``#@title``, and nothing is run. At the
end the pages of all claims and of the benchmarks, the library's size in the reference,
and the live parts of the first page are written anew.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

import executed
import nbformat
from chapters import chapters
from fingerprint import PACKAGE, fingerprint, recorded_fingerprint
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat import NotebookNode
from rules import CHECK_OF_EXERCISE, KEPT_IN_CELL, KEPT_IN_NOTEBOOK

# No version in it: another Python would make a diff of every chapter.
LANGUAGE = {"name": "python", "file_extension": ".py", "pygments_lexer": "ipython3"}
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
TRACEBACK_LINES = 12


def stale(path: Path) -> bool:
    """True if the chapter's code, or what it uses, changed since it was executed."""
    notebook = nbformat.read(path, as_version=4)
    return recorded_fingerprint(notebook) != fingerprint(notebook)


def execute(path: Path) -> None:
    """Run a chapter in its folder and write it back: outputs, fingerprint, versions.

    Raises:
        SystemExit: a cell failed; the message has its number and traceback.
    """
    from sirenlib.verify import client_for  # imported late: PyTorch takes seconds

    notebook = nbformat.read(path, as_version=4)
    client = client_for(notebook, path.parent, timeout=600)
    with client.setup_kernel(cleanup_kc=True):
        for index, cell in enumerate(notebook.cells):
            _run(client, cell, index, path)
    tidy(notebook)
    kept = {"fingerprint": fingerprint(notebook), "executed": executed.today()}
    notebook.metadata[PACKAGE] = kept
    nbformat.write(notebook, path)


def _run(client: NotebookClient, cell: NotebookNode, index: int, path: Path) -> None:
    count = client.code_cells_executed + 1
    try:
        client.execute_cell(cell, index, execution_count=count)
    except (CellControlSignal, DeadKernelError) as error:
        text = re.sub(r"\x1b\[[\d;]*m", "", str(error))  # IPython's colors
        end = "\n".join(text.strip().splitlines()[-TRACEBACK_LINES:])
        sys.exit(f"{path.name}, cell {index + 1}: {type(error).__name__}\n{end}")


def tidy(notebook: NotebookNode) -> None:
    """Keep only the metadata that means something."""
    notebook.metadata.update(kernelspec=KERNEL, language_info=LANGUAGE)
    for node, kept in [(notebook, KEPT_IN_NOTEBOOK)] + [
        (cell, KEPT_IN_CELL) for cell in notebook.cells
    ]:
        for key in set(node.metadata) - kept:
            del node.metadata[key]
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.startswith("#@title"):
            fold(cell)


def fold(cell: NotebookNode) -> None:
    """Fold a cell that has a title, in the book, in JupyterLab and in Colab.

    The check of an exercise folds with its output, and of others the figure stays.
    """
    check = cell.source.startswith(CHECK_OF_EXERCISE)
    data, tag = cell.metadata, "hide-cell" if check else "hide-input"
    others = [each for each in data.get("tags", []) if not each.startswith("hide-")]
    what = "check" if check else "code"
    prompt = {
        f"code_prompt_{way}": f"{way.title()} the {what}" for way in ("show", "hide")
    }
    data.update(cellView="form", jupyter={"source_hidden": True}, tags=[tag, *others])
    data["mystnb"] = {**data.get("mystnb", {}), **prompt}


def write_pages() -> None:
    """Write anew what is made from the chapters, the records and the library."""
    import claims  # imported late: PyTorch takes seconds
    import contents
    import cover
    import sizes
    import speed
    import tables

    for tool in (claims, contents, tables, sizes, speed, cover):
        tool.write()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="run the fresh ones too")
    parser.add_argument("--fold", action="store_true", help="fold cells, run nothing")
    parser.add_argument("chapters", nargs="*", type=Path, metavar="CHAPTER")
    arguments = parser.parse_args()
    # The committed outputs come from a CPU, and small networks like one thread.
    os.environ.update(SIRENLIB_BOOK="cpu", OMP_NUM_THREADS="1")
    wanted = arguments.chapters or chapters()
    if arguments.fold:
        for path in wanted:
            notebook = nbformat.read(path, as_version=4)
            tidy(notebook)
            nbformat.write(notebook, path)
        return
    everything = arguments.all or arguments.chapters
    for path in wanted if everything else filter(stale, wanted):
        start = time.perf_counter()
        print(path.name, end=" ", flush=True)
        execute(path)
        print(f"{time.perf_counter() - start:.1f} s")
    write_pages()


if __name__ == "__main__":
    main()
