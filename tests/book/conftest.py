"""The built book, for the tests of its pages."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from address import set_address
from chapters import ROOT


@pytest.fixture(scope="session")
def build(tmp_path_factory) -> Callable[[str], Path]:
    """Builds the book in a copy, for a public address, with every warning an error."""

    def built(url: str) -> Path:
        copy = tmp_path_factory.mktemp("book") / "repository"
        left_out = shutil.ignore_patterns(
            ".*", "_build", "__pycache__", "build", "dist"
        )
        shutil.copytree(ROOT, copy, symlinks=True, ignore=left_out)
        if url:
            set_address(url, copy)
        builder = Path(sys.executable).with_name("jupyter-book")
        command = [builder, "build", "book/", "-W", "-n", "--keep-going"]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        said = [line for line in done.stderr.splitlines() if "WARNING" in line]
        assert (done.returncode, said) == (0, []), done.stderr[-3000:]
        return copy / "book" / "_build" / "html"

    return built


@pytest.fixture(scope="session")
def site(build) -> Path:
    """The pages of the book as it is."""
    return build("")
