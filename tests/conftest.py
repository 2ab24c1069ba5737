"""What several tests of the library use.

They need the library, pytest and hypothesis. What a reader sees is tried in a browser,
and those tests are left out where there is none. Tests of the book are in `book/`.
"""

from importlib.util import find_spec

import pytest

BROWSER = ("playwright", "axe_playwright_python", "nbclient")


class LeftOut(pytest.Module):
    """A file of tests that cannot even be imported here."""

    def collect(self):
        pytest.skip("needs pip install -r requirements.txt", allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    missing = [name for name in BROWSER if find_spec(name) is None]
    if missing and module_path.match("test_viewer_*.py"):
        return LeftOut.from_parent(parent, path=module_path)


@pytest.fixture
def batches(monkeypatch):
    """The numbers of the points of every step of a fit, as it goes on."""
    return _of_every_step(monkeypatch, lambda index, rate: index.cpu().long())


@pytest.fixture
def rates(monkeypatch):
    """The learning rate of every step of a fit, as it goes on."""
    return _of_every_step(monkeypatch, lambda index, rate: rate)


def _of_every_step(monkeypatch, wanted) -> list:
    from sirenlib.steps import Stepper  # late: it takes PyTorch

    seen, plain = [], Stepper.__call__

    def step(self, index, rate):
        seen.append(wanted(index, rate))
        plain(self, index, rate)

    monkeypatch.setattr(Stepper, "__call__", step)
    return seen


@pytest.fixture(scope="module")
def chromium():
    """A browser; the tests that need one are skipped where there is none."""
    from browser import launched

    with launched() as browser:
        yield browser


@pytest.fixture
def page(chromium):
    """An empty page of a window as wide as a laptop's."""
    from browser import watched

    with watched(chromium, viewport={"width": 1100, "height": 900}) as page:
        yield page
