"""What `pytest --nbval` does with notebooks on machines that are not this one."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from chapters import ROOT
from nbformat.v4 import new_code_cell, new_notebook, new_output


def nbval(path: Path, root: Path, **settings: str) -> tuple[int, str]:
    """The exit code of `pytest --nbval` for a notebook, and what it said."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, "--rootdir", root, "--confcutdir", root, path],
        cwd=root,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def notebook(path: Path, source: str, printed: str) -> Path:
    """A notebook of one cell, which has printed something."""
    printed = new_output("stream", name="stdout", text=printed)
    cell = new_code_cell(source, outputs=[printed], execution_count=1)
    nbformat.write(new_notebook(cells=[cell]), path)
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder with the settings that tests and kernels start under."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    shutil.copytree(ROOT / "tests" / "fake_cuda", tmp_path / "tests" / "fake_cuda")
    return tmp_path


def test_matplotlib_is_silent_where_its_folder_cannot_be_written(folder):
    """The second notebook shows that outputs are compared at all."""
    notebook(folder / "silent.ipynb", "import matplotlib.pyplot\nprint(1)", "1\n")
    notebook(folder / "wrong.ipynb", "print(1)", "2\n")
    code, said = nbval(folder, folder, MPLCONFIGDIR="/proc/nope")
    assert code == 1 and "1 failed, 1 passed" in said, said
    assert re.search(r"FAILED \S*wrong.ipynb::Cell 0", said), said
