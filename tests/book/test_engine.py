"""The pages do not need Jupyter Book: plain Sphinx builds the same ones.

What it takes is in CONTRIBUTING.md: the settings as a `conf.py`, and the book's own
extensions on the path.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# As `sphinx-build` does it, where there is no Jupyter Book to import.
PLAIN = """
import sys
sys.modules["jupyter_book"] = None
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def plain(repository) -> Path:
    """The pages as Sphinx alone builds them."""
    book, site = repository / "book", repository / "plain"
    config = [Path(sys.executable).with_name("jupyter-book"), "config", "sphinx", book]
    subprocess.run(config, check=True, capture_output=True)
    settings = book / "conf.py"
    text = settings.read_text("utf-8")
    assert text.count("'jupyter_book', ") == 1
    settings.write_text(text.replace("'jupyter_book', ", ""), "utf-8")
    paths = [str(repository / "tools"), os.environ.get("PYTHONPATH", "")]
    command = [
        sys.executable,
        "-c",
        PLAIN,
        "-W",
        "-n",
        "--keep-going",
        "-q",
        book,
        site,
    ]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return site


def pages(site: Path) -> dict[str, str]:
    return {page.name: page.read_text("utf-8") for page in site.glob("*.html")}


def test_plain_sphinx_builds_the_same_pages(plain, site):
    ours, theirs = pages(plain), pages(site)
    assert set(ours) == set(theirs)
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_no_settings_of_sphinx_are_left_in_the_tree(plain):
    """A `conf.py` in the book would grow old beside `_config.yml`."""
    root = Path(__file__).parents[2]
    assert not (root / "book" / "conf.py").exists()
