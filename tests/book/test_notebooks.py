"""What `pytest --nbval` does with the chapters on machines that are not this one."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from chapters import ROOT, chapters
from nbformat.v4 import new_code_cell, new_notebook, new_output


def nbval(path: Path, root: Path = ROOT, **settings: str) -> tuple[int, str]:
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


@pytest.mark.slow
@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_numbers_are_those_of_another_processor(path):
    """PyTorch computes as on a processor without vector instructions."""
    code, said = nbval(path, ATEN_CPU_CAPABILITY="default")
    assert code == 0, said[-5000:]


def notebook(folder: Path, source: str, printed: str) -> Path:
    """A notebook of one cell beside the settings of the tests."""
    (folder / "conftest.py").write_bytes((ROOT / "conftest.py").read_bytes())
    printed = new_output("stream", name="stdout", text=printed)
    cell = new_code_cell(source, outputs=[printed], execution_count=1)
    path = folder / "tiny.ipynb"
    nbformat.write(new_notebook(cells=[cell]), path)
    return path


def test_matplotlib_is_silent_where_its_folder_cannot_be_written(tmp_path):
    path = notebook(tmp_path, "import matplotlib.pyplot\nprint(1)", "1\n")
    code, said = nbval(path, tmp_path, MPLCONFIGDIR="/proc/nope")
    assert code == 0, said


def test_another_number_is_seen(tmp_path):
    path = notebook(tmp_path, "print(1)", "2\n")
    code, said = nbval(path, tmp_path)
    assert code == 1 and "Cell outputs differ" in said


@pytest.mark.slow
def test_other_kernels_are_asked_for(tmp_path):
    """PyTorch takes the setting, so that the test above tries something."""
    source = "import torch\nprint(torch.backends.cpu.get_cpu_capability())"
    path = notebook(tmp_path, source, "DEFAULT\n")
    code, said = nbval(path, tmp_path, ATEN_CPU_CAPABILITY="default")
    assert code == 0, said
