"""What several test files use."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from address import set_address
from browser import launched, watched
from chapters import ROOT

from sirenlib import steps
from sirenlib.steps import Stepper


@pytest.fixture
def play_graph(monkeypatch):
    """``engine="graph"`` on a CPU: a replay is the step itself. The list tells calls.

    It tests what surrounds a CUDA graph on any machine; the graph itself needs CUDA.
    """
    calls = []
    plain = Stepper._prepare

    def prepare(self):
        own, self.device = self.device, torch.device("cuda")
        try:
            plain(self)
        finally:
            self.device = own

    def recorded(self):
        calls.append("recorded")
        self.device = torch.device("cpu")
        for _ in range(4):
            self._learn(self.model, self.index)
        return SimpleNamespace(replay=lambda: replay(self))

    def replay(self):
        calls.append("replayed")
        self._learn(self.model, self.index)

    monkeypatch.setattr(Stepper, "_prepare", prepare)
    monkeypatch.setattr(Stepper, "_recorded", recorded)
    monkeypatch.setattr(steps, "ON_CUDA_ONLY", ())
    return calls


@pytest.fixture(scope="module")
def chromium():
    """A browser; the tests that need one are skipped where there is none."""
    with launched() as browser:
        yield browser


@pytest.fixture
def page(chromium):
    """An empty page of a window as wide as a laptop's."""
    with watched(chromium, viewport={"width": 1100, "height": 900}) as page:
        yield page


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
