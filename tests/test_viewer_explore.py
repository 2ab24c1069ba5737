"""Sliders where a kernel is alive, and the figure where none is."""

import io

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from sirenlib.environment import BOOK_VARIABLE
from sirenlib.viewer import explore

VIEW = "application/vnd.jupyter.widget-view+json"
DRAW = """
import matplotlib.pyplot as plt
from sirenlib.viewer import explore

def draw(a=2.0, n=3):
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([0, a * n])
    axes.set_ylim(0, 40)
    return figure
"""


def draw(a=2.0, n=3):
    scope = {}
    exec(DRAW, scope)
    return scope["draw"](a, n)


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))


@pytest.fixture
def kernel(monkeypatch):
    monkeypatch.delenv(BOOK_VARIABLE, raising=False)


def test_in_the_book_it_is_a_figure(monkeypatch):
    monkeypatch.setenv(BOOK_VARIABLE, "cpu")
    bundle = explore(draw, a=(1.0, 4.0))._repr_mimebundle_()
    assert sorted(bundle) == ["image/png", "text/plain"]


def test_with_a_kernel_the_sliders_draw_again(kernel):
    explored = explore(draw, a=(1.0, 4.0, 0.5), n=(1, 9))
    bundle = explored._repr_mimebundle_()
    assert bundle[VIEW]["model_id"] == explored.box.model_id
    assert "image/png" in bundle  # for pages without a kernel
    a, n, image = explored.box.children
    assert (a.value, a.min, a.max, a.step) == (2.0, 1.0, 4.0, 0.5)
    assert (n.value, type(n).__name__) == (3, "IntSlider")
    assert (pixels(image.value) == pixels(explored.picture)).all()
    n.value = 9
    assert (pixels(image.value) != pixels(explored.picture)).any()
    n.value = 3
    assert (pixels(image.value) == pixels(explored.picture)).all()


@pytest.mark.parametrize("variable, views", [("cpu", 0), ("", 1)])
def test_in_a_notebook(monkeypatch, variable, views):
    monkeypatch.setenv(BOOK_VARIABLE, variable)
    cells = [new_code_cell(DRAW), new_code_cell("explore(draw, a=(1.0, 4.0))")]
    notebook = new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3", store_widget_state=False).execute()
    nbformat.validate(notebook)
    outputs = notebook.cells[1].outputs
    assert len(outputs) == 1 and outputs[0].output_type == "execute_result"
    assert sum(VIEW in output.data for output in outputs) == views
    assert "image/png" in outputs[0].data
    assert "widgets" not in notebook.metadata


def test_wrong_sliders():
    with pytest.raises(ValueError, match="the function has no argument b="):
        explore(draw, b=(0, 1))
    with pytest.raises(ValueError, match=r"the first value 2\.0 between"):
        explore(draw, a=(3.0, 4.0))
    with pytest.raises(ValueError, match=r"must be \(smallest, largest\)"):
        explore(draw, a=(4.0,))
