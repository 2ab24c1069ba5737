"""What several test files use."""

from types import SimpleNamespace

import pytest

from sirenlib import fitting
from sirenlib.steps import Stepper


@pytest.fixture
def play_graph(monkeypatch):
    """``engine="graph"`` on a CPU: a replay is the step itself. The list tells calls.

    It tests what surrounds a CUDA graph on any machine; the graph itself needs CUDA.
    """
    calls = []

    def recorded(self):
        calls.append("recorded")
        for _ in range(4):
            self._learn(self.model, self.index)
        return SimpleNamespace(replay=lambda: replay(self))

    def replay(self):
        calls.append("replayed")
        self._learn(self.model, self.index)

    monkeypatch.setattr(Stepper, "_recorded", recorded)
    monkeypatch.setattr(fitting, "ON_CUDA_ONLY", ())
    return calls
