"""The book's figures: that they say what they show, and look the same everywhere."""

import io
import math

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from sirenlib import History, coordinate_grid, figures

matplotlib.use("Agg")


@pytest.fixture
def axes():
    with plt.style.context(figures.STYLE):
        _, axes = plt.subplots()
        yield axes
        axes.figure.canvas.draw()  # what cannot be drawn fails here
    plt.close("all")


@pytest.fixture
def close():
    yield
    plt.close("all")


def panels(shape=(6, 6), channels=1):
    coords = coordinate_grid(*shape)
    value = coords[:, :1].repeat(1, channels)
    return figures.three_panels(value, coords, coords[:, 1:], shape)


def history(count=5):
    rows = range(1, count + 1)
    seconds = [0.5 * i for i in rows]
    return History(
        [10 * i for i in rows], seconds, [1 / i for i in rows], [20 + i for i in rows]
    )


def luminance(color):
    """Relative luminance, as the Web Content Accessibility Guidelines define it."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(color)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    dark, bright = sorted([luminance(a), luminance(b)])
    return (bright + 0.05) / (dark + 0.05)


def test_contrast_of_black_and_white_is_21():
    assert math.isclose(contrast("#000000", "#ffffff"), 21)


@pytest.mark.parametrize("ground", ["#ffffff", "#121212"])
@pytest.mark.parametrize("color", figures.COLORS)
def test_line_colors_stand_out_on_both_grounds(color, ground):
    assert contrast(color, ground) >= 3


def test_colors_are_different():
    assert len(set(figures.COLORS)) == 4


def test_style_cycles_through_the_colors():
    assert figures.STYLE["axes.prop_cycle"].by_key()["color"] == list(figures.COLORS)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_three_panels_draw_every_shape(close, shape, channels):
    figure = panels(shape, channels)
    figure.canvas.draw()
    sizes = [axes.images[0].get_array().shape[:2] for axes in figure.axes[:3]]
    assert sizes == [shape] * 3


def test_three_panels_say_what_they_show_and_its_unit(close):
    assert [axes.get_title() for axes in panels().axes[:3]] == [
        "picture",
        "|gradient|, per unit",
        "Laplacian, per unit²",
    ]


def test_fields_have_a_color_bar_and_the_picture_has_none(close):
    assert sum(axes.get_visible() for axes in panels().axes) == 5


def test_three_panels_stand_in_line(close):
    figure = panels()
    figure.canvas.draw()
    tops = {round(axes.get_position().y1, 6) for axes in figure.axes[:3]}
    assert len(tops) == 1


def test_middle_panel_is_the_length_of_the_gradient(close):
    slope = torch.tensor([[3.0, 4.0]]).repeat(6, 1)
    figure = figures.three_panels(torch.zeros(6, 1), slope, torch.zeros(6, 1), (2, 3))
    assert np.allclose(figure.axes[1].images[0].get_array(), 5)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_three_panels_draw_a_constant_picture(close, value):
    nothing = torch.zeros(12, 2)
    flat = torch.full((12, 1), value)
    figure = figures.three_panels(flat, nothing, nothing[:, :1], (3, 4))
    figure.canvas.draw()
    assert figure.axes[1].images[0].get_clim() == (0, 1)
    assert figure.axes[2].images[0].get_clim() == (-1, 1)


def test_picture_shows_minus_one_as_black_and_one_as_white(axes):
    figures.show_picture(axes, np.array([[-1.0, 0.0], [1.0, 1.0]]), "cat")
    [image] = axes.images
    assert image.get_array().tolist() == [[0, 0.5], [1, 1]]
    assert image.get_clim() == (0, 1) and axes.get_title() == "cat"


def test_picture_clips_what_the_network_overshoots(axes):
    figures.show_picture(axes, torch.tensor([[-1.2, 1.3], [0.0, 0.0]]))
    array = axes.images[0].get_array()
    assert (array.min(), array.max()) == (0, 1)


def test_color_picture_keeps_its_channels(axes):
    figures.show_picture(axes, torch.zeros(4, 5, 3))
    assert axes.images[0].get_array().shape == (4, 5, 3)


@pytest.mark.parametrize("scale", [1e-6, 1, 1e4])
def test_signed_field_is_white_at_zero(axes, scale):
    figures.show_signed(axes, scale * np.linspace(-1, 3, 100).reshape(10, 10))
    low, high = axes.images[0].get_clim()
    assert low == -high and high > 0


def test_signed_field_that_is_zero_everywhere_is_white(axes):
    figures.show_signed(axes, np.zeros((4, 4)))
    image = axes.images[0]
    assert image.norm(0.0) == 0.5 and image.get_clim() == (-1, 1)


def test_signed_field_ignores_its_largest_hundredth(axes):
    field = np.ones((20, 20))
    field[0, 0] = 1e6
    figures.show_signed(axes, field)
    assert axes.images[0].get_clim() == (-1, 1)


def test_magnitude_starts_at_zero(axes):
    figures.show_magnitude(axes, np.full((4, 4), 7.0), "length")
    assert axes.images[0].get_clim() == (0, 7)


def test_magnitude_that_is_zero_everywhere_can_be_drawn(axes):
    figures.show_magnitude(axes, np.zeros((4, 4)))
    assert axes.images[0].get_clim() == (0, 1)


def test_training_curve_states_axes_and_units(axes):
    figures.training_curve(axes, {"ours": history()})
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("seconds", "PSNR (dB)")


def test_training_curve_leaves_out_a_history_without_rows(axes):
    figures.training_curve(axes, {"stopped at once": History(), "ours": history()})
    assert [text.get_text().strip() for text in axes.texts] == ["ours"]


def test_training_curve_draws_each_history(axes):
    figures.training_curve(axes, {"ours": history(), "theirs": history(3)})
    assert [len(line.get_xdata()) for line in axes.lines] == [5, 3]
    assert axes.lines[1].get_xdata()[-1] == 1.5


def test_training_curve_names_each_line_in_its_color(axes):
    figures.training_curve(axes, {"ours": history(), "theirs": history(3)})
    assert [text.get_text().strip() for text in axes.texts] == ["ours", "theirs"]
    assert [text.get_color() for text in axes.texts] == list(figures.COLORS[:2])


def drawn_histogram(axes, count=10_000):
    samples = np.random.default_rng(0).uniform(-1, 1, count)
    figures.histogram_with_law(axes, samples, lambda x: 0 * x + 0.5, (-1, 1), bins=50)
    return axes


def test_histogram_integrates_to_one(axes):
    bars = drawn_histogram(axes).patches
    assert math.isclose(sum(bar.get_height() * bar.get_width() for bar in bars), 1)


def test_histogram_follows_the_samples(axes):
    heights = [bar.get_height() for bar in drawn_histogram(axes).patches]
    # 200 samples a bin: a relative deviation of 7 %; 5 of these among 50 bins.
    assert len(heights) == 50 and np.allclose(heights, 0.5, atol=0.5 * 5 / 200**0.5)


def test_law_is_drawn_inside_its_support_alone(axes):
    samples = np.zeros(10)
    figures.histogram_with_law(axes, samples, lambda x: 1 / (1 - x**2), (-1, 1))
    x, y = axes.lines[0].get_data()
    assert np.isfinite(y).all() and x.min() > -1 and x.max() < 1


def test_law_and_measurement_have_their_colors(axes):
    drawn_histogram(axes)
    assert axes.lines[0].get_color() == figures.PREDICTED
    assert to_rgb(axes.patches[0].get_facecolor()) == to_rgb(figures.MEASURED)


def test_histogram_states_its_axis(axes):
    assert drawn_histogram(axes).get_ylabel() == "density"
    assert axes.get_xlim() == (-1, 1)


def test_staircase_goes_up_to_the_map_and_across_to_the_diagonal():
    x, y = figures.staircase([1.0, 0.5, 0.25])
    assert x.tolist() == [1.0, 1.0, 0.5, 0.5, 0.25]
    assert y.tolist() == [0.0, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_same_input_gives_the_same_bytes(close, kind):
    files = []
    for _ in range(2):
        with plt.style.context(figures.STYLE):
            file = io.BytesIO()
            date = {"Date": None} if kind == "svg" else None
            panels().savefig(file, format=kind, metadata=date)
            files.append(file.getvalue())
    assert files[0] == files[1]
