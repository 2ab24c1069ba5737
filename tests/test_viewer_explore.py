"""Sliders where a kernel is alive, and the figure where none is."""

import io
import sys

import nbformat
import numpy as np
import pytest
from matplotlib import pyplot as plt
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


def test_in_a_notebook(kernel):
    """In a reader's one, and in the same kernel as if the book were made."""
    call = "explore(draw, a=(1.0, 4.0))"
    made = f"import os; os.environ[{BOOK_VARIABLE!r}] = 'cpu'"
    cells = [new_code_cell(code) for code in (DRAW, call, made, call)]
    notebook = new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3", store_widget_state=False).execute()
    nbformat.validate(notebook)
    for cell, views in ((1, 1), (3, 0)):
        [output] = notebook.cells[cell].outputs
        assert output.output_type == "execute_result"
        assert (VIEW in output.data) == views
        assert "image/png" in output.data
    assert "widgets" not in notebook.metadata


def test_without_ipywidgets(kernel, monkeypatch):
    """It says what is missing; in the book nothing is."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ModuleNotFoundError, match="pip install ipywidgets"):
        explore(draw, a=(1.0, 4.0))
    monkeypatch.setenv(BOOK_VARIABLE, "cpu")
    assert explore(draw, a=(1.0, 4.0)).box is None


def test_figures_are_closed(kernel):
    before = plt.get_fignums()
    explored = explore(draw, a=(1.0, 4.0))
    explored.box.children[0].value = 3.0
    assert plt.get_fignums() == before


def test_wrong_sliders():
    with pytest.raises(ValueError, match="the function has no argument b="):
        explore(draw, b=(0, 1))
    with pytest.raises(ValueError, match=r"the first value 2\.0 between"):
        explore(draw, a=(3.0, 4.0))
    with pytest.raises(ValueError, match=r"must be \(smallest, largest\)"):
        explore(draw, a=(4.0,))
