"""How narrow a figure may be shown."""

import re

import matplotlib.pyplot as plt
import nbformat
import pytest
from chapters import chapters
from drawings import COLUMN, SMALLEST, letter_height, narrowest

from sirenlib import figures

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJ"
    "RU5ErkJggg=="
)


def test_letters_are_those_of_the_style():
    with plt.style.context(figures.STYLE):
        figure, axes = plt.subplots()
        figure.canvas.draw()
        texts = [
            *axes.get_xticklabels(),
            axes.xaxis.label,
            axes.title,
            axes.yaxis.label,
        ]
        drawn = min(text.get_fontsize() for text in texts) / 72 * figure.dpi
        plt.close(figure)
    assert letter_height() == pytest.approx(drawn) == pytest.approx(20)


@pytest.mark.parametrize(
    ("source", "points"),
    [
        ("axes.text(0, 0, 'x', fontsize=10)", 10),
        ("axes.tick_params(labelsize=9.5)\naxes.set_title('a', fontsize=14)", 9.5),
        ("axes.legend(fontsize=13)", 12),
        ("rng.normal(size=8), plt.subplots(figsize=(7, 3))", 12),
    ],
)
def test_smaller_letters_are_found(source, points):
    assert letter_height(source) == pytest.approx(points / 72 * 120)


def test_a_figure_scrolls_only_where_it_has_to():
    """Of 6.4 inches fits between the margins of a phone; what does not is larger."""
    assert narrowest(781) == 352 <= COLUMN
    assert narrowest(973) == 536
    for source in ("", "fontsize=10"):
        for width in range(300, 1200):
            letters = letter_height(source) * narrowest(width, source) / width
            assert letters >= SMALLEST


def test_chapters_name_sizes_in_points():
    """``fontsize="small"`` or a variable would not be found."""
    said = re.compile(r"\b(?:fontsize|labelsize|titlesize)=(?!\d)|font\.size|prop=\{")
    for path in chapters():
        for cell in nbformat.read(path, as_version=4).cells:
            assert cell.cell_type != "code" or not said.search(cell.source), path.name


def test_a_box_in_the_page(small_book):
    """With the width of its own cell, and without markup from its words."""
    cell = nbformat.v4.new_code_cell("plt.plot()  # fontsize=6", execution_count=1)
    data = {"image/png": PNG, "text/plain": "<Figure>"}
    cell.outputs = [nbformat.v4.new_output("display_data", data)]
    cell.metadata["mystnb"] = {"image": {"alt": 'A "<line>". It rises.'}}
    words = nbformat.v4.new_markdown_cell("# A title")
    other = nbformat.v4.new_code_cell("1  # fontsize=3", execution_count=2)
    page = nbformat.v4.new_notebook(cells=[words, other, cell])
    page.metadata["language_info"] = {"name": "python", "pygments_lexer": "python"}
    site, said = small_book({"index.md": "# Home\n", "figure.ipynb": page})
    text = (site / "figure.html").read_text("utf-8")
    assert said == []
    assert (
        '<div class="drawing" data-label="A &quot;&lt;line&gt;&quot;" '
        f'style="--narrowest: {narrowest(1, "fontsize=6")}px">'
    ) in text
    assert "scrolling.js" in text
