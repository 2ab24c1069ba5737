"""The built book, for the tests of its pages."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from address import set_address
from chapters import ROOT

BUILDER = Path(sys.executable).with_name("jupyter-book")


def copied(folder: Path) -> Path:
    """The repository in that folder, without what was built in it."""
    left_out = shutil.ignore_patterns(".*", "_build", "__pycache__", "build", "dist")
    return shutil.copytree(ROOT, folder, symlinks=True, ignore=left_out)


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    """A copy to try things in."""
    return copied(tmp_path_factory.mktemp("copy") / "repository")


@pytest.fixture(scope="session")
def build(tmp_path_factory) -> Callable[[str], Path]:
    """Builds the book in a copy, for a public address, with every warning an error."""

    def built(url: str) -> Path:
        copy = copied(tmp_path_factory.mktemp("book") / "repository")
        if url:
            set_address(url, copy)
        command = [BUILDER, "build", "book/", "-W", "-n", "--keep-going"]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        said = [line for line in done.stderr.splitlines() if "WARNING" in line]
        assert (done.returncode, said) == (0, []), done.stderr[-3000:]
        return copy / "book" / "_build" / "html"

    return built


@pytest.fixture(scope="session")
def site(build) -> Path:
    """The pages of the book as it is."""
    return build("")


@pytest.fixture(scope="session")
def small_book(tmp_path_factory) -> Callable[..., tuple[Path, list[str]]]:
    """Builds a book of a few pages with the settings of the real one.

    It takes the pages by their file names, texts or notebooks, and returns where the
    site is, and what was warned of. A builder other than the site's has to fail where
    that is wanted.
    """

    def built(
        pages: dict, builder: str = "html", fails: bool = False
    ) -> tuple[Path, list[str]]:
        root = tmp_path_factory.mktemp("small")
        book = root / "book"
        book.mkdir()
        for name in ("tools", "_config.yml"):
            (root / name).symlink_to(ROOT / name)
        for name in ("_config.yml", "_vendor", "logo.png", "references.bib"):
            (book / name).symlink_to(ROOT / "book" / name)
        for name, page in pages.items():
            text = page if isinstance(page, str) else nbformat.writes(page)
            (book / name).write_text(text, encoding="utf-8")
        files = "".join(f"  - file: {Path(n).stem}\n" for n in pages if n != "index.md")
        contents = f"format: jb-book\nroot: index\nchapters:\n{files}"
        (book / "_toc.yml").write_text(contents)
        command = [BUILDER, "build", "book/", "-n", "--builder", builder]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
        assert (done.returncode != 0) == fails, done.stderr[-3000:]
        said = re.findall(r"/book/(.*?WARNING: .*?)(?:\x1b|$)", done.stderr, re.M)
        return book / "_build" / "html", said

    return built
