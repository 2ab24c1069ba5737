"""The cobweb: its numbers against sirenlib, and its use in a browser."""

import base64
import io
import math

import numpy as np
import pytest
from browser import box_of, colors_in_the_dark, frames, run, show, watched
from PIL import Image

from sirenlib import theory
from sirenlib.viewer import explore_cobweb
from sirenlib.viewer.explore_cobweb import BIASES

ALT = "The map of the variance and its cobweb: it climbs to 0.797."
SCRIPT = "explore_cobweb"
ROOT_SIX = math.sqrt(6)


@pytest.fixture(scope="module")
def compute(chromium):
    with watched(chromium) as page:
        yield lambda body, given=None: run(page, SCRIPT, body, given)


def test_numbers_are_those_of_the_library(compute):
    rng = np.random.default_rng(0)
    cases = [
        {"start": start, "c": c, "half": half}
        for half in [*BIASES.values(), 0.3]
        for start, c in rng.uniform([0.01, 1.0], [2.6, 3.8], (10, 2))
    ]
    for case, found in zip(
        cases, compute("return given.map(cobwebNumbers)", cases), strict=True
    ):
        s, c = float(theory.uniform_bias_factor(case["half"])), case["c"]
        assert found["settled"] == pytest.approx(theory.fixed_point(s, c), abs=1e-12)
        chi = theory.gradient_factor(found["settled"], s, c)
        assert found["chi"] == pytest.approx(chi, rel=1e-12)
        assert found["growth"] == pytest.approx(chi**49, rel=1e-9)
        variance, *others = found["variances"]
        assert variance == case["start"] and len(others) == 19
        for other in others:
            variance = theory.next_variance(variance, s, c)
            assert other == pytest.approx(variance, rel=1e-12)


def test_the_cobweb_goes_up_and_across(compute):
    points = np.array(compute("return cobwebPath([0.1, 0.4, 0.7])"))
    wanted = [[0.1, 0], [0.1, 0.4], [0.4, 0.4], [0.4, 0.7], [0.7, 0.7]]
    assert (points == wanted).all()


def test_growth_has_two_digits(compute):
    found = compute(
        "return given.map(growthWords)", [8637.2, 0.3752, 1.0, 12.3, 3.4e15, 2e-9]
    )
    assert found == ["8,600", "0.38", "1", "12", "10^16", "10^-9"]


def test_biases_are_named_alike_on_both_sides(compute):
    found = compute("return COBWEB_BIASES")
    for name, half, other in zip(BIASES, BIASES.values(), found, strict=True):
        assert other["name"].startswith(name) and other["half"] == half


@pytest.mark.parametrize(
    "arguments", [{}, {"start": 2.6, "c": 1}, {"biases": "half a turn"}]
)
def test_picture(arguments):
    output = explore_cobweb(**arguments, alt=ALT)
    assert output.html() == explore_cobweb(**arguments, alt=ALT).html()
    assert len(output.html()) < 60_000
    picture = Image.open(io.BytesIO(base64.b64decode(output.picture)))
    assert 640 <= picture.width <= 800
    assert (np.asarray(picture.convert("RGB"))[..., 0] < 100).sum() > 500


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"start": 0}, "start must be between 0.01 and 2.6"),
        ({"start": math.nan}, "start must be between"),
        ({"c": 4}, "c must be between 1 and 3.87298"),
        ({"biases": "some"}, "biases must be one of none, official, half a turn"),
        ({"alt": " "}, "alt is empty"),
    ],
)
def test_wrong_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        explore_cobweb(**{"alt": ALT, **arguments})


# In a page


def said(page) -> str:
    frames(page)
    return page.locator("output").inner_text()


def test_it_settles_where_chapter_6_says(page):
    show(page, explore_cobweb(alt=ALT))
    assert "in layer 21: 0.797. Fixed point 0.797, a standard deviation of 0.893" in (
        said(page)
    )
    assert "χ = 1.203 a layer, a factor of 8,600 over 49 layers." in said(page)
    page.get_by_role("slider", name="variance in layer 2").press("End")
    assert "Variance in layer 2: 2.600, in layer 3: 0.994" in said(page)
    assert "in layer 21: 0.797" in said(page)
    assert "2.600" in page.get_by_role("img").first.get_attribute("aria-label")


def test_scale_and_biases(page):
    show(page, explore_cobweb(alt=ALT))
    page.get_by_role("button", name="half a turn").click()
    assert "in layer 3: 1.000, in layer 21: 1.000" in said(page)
    assert "χ = 1.000 a layer, a factor of 1 over 49 layers." in said(page)
    page.get_by_role("button", name="official, width 256").click()
    assert "χ = 0.980 a layer, a factor of 0.37 over 49 layers." in said(page)
    page.get_by_role("button", name="none").click()
    page.get_by_role("slider", name="weight scale c").press("Home")
    assert "It dies out: the only fixed point is 0." in said(page)


def test_a_mouse_drags_the_start(page):
    show(page, explore_cobweb(alt=ALT))
    box = box_of(page.get_by_role("img").first)
    place = box["x"] + 34 + (box["width"] - 42) / 2, box["y"] + box["height"] / 2
    page.mouse.move(*place)
    page.mouse.down()
    page.mouse.up()
    assert "Variance in layer 2: 0.6" in said(page)
    slider = page.get_by_role("slider", name="variance in layer 2")
    assert float(slider.input_value()) == pytest.approx(0.65, abs=0.02)


@pytest.mark.parametrize("width", [320, 390, 1100])
def test_it_fits_and_is_large_enough(chromium, width):
    with watched(chromium, viewport={"width": width, "height": 800}) as page:
        show(page, explore_cobweb(alt=ALT))
        frames(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        left, right = map(box_of, page.get_by_role("img").all())
        assert (left["y"] == right["y"]) == (width == 1100)
        for svg in page.get_by_role("img").all():
            scale = svg.evaluate("(svg) => svg.getScreenCTM().a")
            assert scale == pytest.approx(1, abs=0.02)  # texts of 12 pixels stay 12
        for control in page.locator("button, input").all():
            assert control.bounding_box()["height"] >= 32


def test_dark(page):
    places = [
        ("svg text", "fill"),
        (".line.level", "stroke"),
        ("output", "color"),
        ("button[aria-pressed=false]", "color"),
        (".dot.level", "fill"),
    ]
    colors = colors_in_the_dark(page, explore_cobweb(alt=ALT), *places)
    assert colors == ["rgb(221, 221, 221)"] * 5
