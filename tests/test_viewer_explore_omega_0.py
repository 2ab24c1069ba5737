"""The line of omega_0: its numbers against NumPy and a real layer, and its use."""

import base64
import io
import math
import re

import numpy as np
import pytest
import torch
from browser import colors_in_the_dark, frames, run, show, watched
from PIL import Image

from sirenlib import SineLayer, initialize_
from sirenlib.viewer import explore_omega_0
from sirenlib.viewer.explore_omega_0 import line_at, line_waves, sinc_line

ALT = "A line through its samples: found at omega_0 = 30."
SCRIPT = "explore_omega_0"
COUNT, FINE = 48, 8


@pytest.fixture(scope="module")
def compute(chromium):
    with watched(chromium) as page:
        yield lambda body, given=None: run(page, SCRIPT, body, given)


def lines(compute, omega, seed=1):
    body = """const found = omegaLines(given);
      for (const [name, value] of Object.entries(found)) {
        if (value.length) found[name] = Array.from(value);
      }
      return found;"""
    given = {"waves": line_waves().tolist(), "count": COUNT}
    found = compute(body, {**given, "omega": omega, "seed": seed})
    return {name: np.array(value) for name, value in found.items()}


@pytest.mark.parametrize("omega", [1, 8, 20, 73, 900])
def test_line_of_infinitely_many_sines(compute, omega):
    found, waves = lines(compute, omega), line_waves()
    assert np.allclose(found["truth"], line_at(waves, found["places"]), atol=1e-13)
    wanted = sinc_line(waves, omega, found["places"])
    assert np.abs(found["law"] - wanted).max() < 1e-9


def test_line_of_one_layer(compute):
    """Ridge regression on the sines themselves, without any kernel."""
    found, omega, body = (
        lines(compute, 40),
        40,
        """
      const next = seededNumbers(1);
      return Array.from({ length: LINE.units }, () =>
        [given * (2 * next() - 1), Math.PI * (2 * next() - 1)]);""",
    )
    w, b = np.array(compute(body, omega)).T
    assert np.abs(w).max() > 0.95 * omega and np.abs(b).max() > 0.95 * math.pi

    def sines(x):
        return np.sin(np.multiply.outer(x, w) + b) * math.sqrt(2 / len(w))

    table = sines(found["x"])
    rows = np.vstack([table, math.sqrt(1e-4) * np.eye(len(w))])
    wanted = np.concatenate([found["y"], np.zeros(len(w))])
    weights = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    assert np.abs(found["drawn"] - sines(found["places"]) @ weights).max() < 1e-8


def test_a_wide_layer_of_the_library_draws_the_law():
    layer, waves = SineLayer(1, 20_000, is_first=True, omega_0=20.0), line_waves()
    initialize_(layer, "random-phase", generator=torch.Generator().manual_seed(0))
    x, places = np.linspace(-1, 1, COUNT), np.linspace(-1, 1, 301)
    with torch.no_grad():
        table, others = (
            layer(torch.tensor(each, dtype=torch.float32)[:, None]).double().numpy()
            for each in (x, places)
        )
    kernel = 2 / 20_000 * table @ table.T + 1e-4 * np.eye(COUNT)
    drawn = 2 / 20_000 * others @ table.T @ np.linalg.solve(kernel, line_at(waves, x))
    assert np.abs(drawn - sinc_line(waves, 20.0, places)).max() < 0.05


def test_errors_are_relative_to_the_line(compute):
    found = lines(compute, 8)
    is_sample = np.arange(len(found["places"])) % FINE == 0
    for name, chosen in (("at", is_sample), ("between", ~is_sample)):
        error = (found["drawn"] - found["truth"])[chosen]
        wanted = 10 * np.log10(
            np.square(error).mean() / np.square(found["truth"][chosen]).mean()
        )
        assert found[name] == pytest.approx(wanted, abs=1e-9)


def test_from_blur_to_noise(compute):
    blur, good, noise = (lines(compute, omega) for omega in (4, 25, 600))
    assert blur["at"] > -20
    assert good["at"] < -30 and good["between"] < -30
    assert noise["at"] < -30 and noise["between"] > -10


def test_solver(compute):
    rng = np.random.default_rng(0)
    half = rng.normal(size=(12, 12))
    table, b = half @ half.T + np.eye(12), rng.normal(size=12)
    body = "return Array.from(solvePositive(given[0], given[1]));"
    found = compute(body, [table.ravel().tolist(), b.tolist()])
    assert np.allclose(table @ found, b, atol=1e-10)


@pytest.mark.parametrize("omega_0", [1, 20, 1000])
def test_picture(omega_0):
    output = explore_omega_0(omega_0, alt=ALT)
    assert output.html() == explore_omega_0(omega_0, alt=ALT).html()
    assert len(output.html()) < 60_000
    picture = Image.open(io.BytesIO(base64.b64decode(output.picture)))
    assert 640 <= picture.width <= 800
    assert (np.asarray(picture.convert("RGB"))[..., 0] < 100).sum() > 300


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"omega_0": 0}, "omega_0 must be a positive number"),
        ({"omega_0": 1001}, "omega_0 must be between 1 and 1000"),
        ({"alt": " "}, "alt is empty"),
    ],
)
def test_wrong_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        explore_omega_0(**{"alt": ALT, **arguments})


# In a page


def said(page) -> str:
    frames(page)
    return page.locator("output").inner_text()


def test_slider_goes_from_blur_to_noise(page):
    show(page, explore_omega_0(alt=ALT))
    assert said(page).startswith("ω₀ = 30.0, the Nyquist frequency is 74.")
    assert "The line is found." in said(page)
    slider = page.get_by_role("slider", name="ω₀")
    slider.press("Home")
    assert "ω₀ = 1.00" in said(page) and "A blur" in said(page)
    slider.press("End")
    text = said(page)
    assert "ω₀ = 1000," in text and "Noise" in text
    assert re.search(r"at the samples −\d+ dB, between them −?\d+ dB", text)
    assert "Noise" in page.get_by_role("img").get_attribute("aria-label")


def test_new_weights_draw_another_line(page):
    show(page, explore_omega_0(300, alt=ALT))
    path = "(svg) => svg.querySelector('.line.measured').getAttribute('d')"
    frames(page)
    before = page.get_by_role("img").evaluate(path)
    page.get_by_role("button", name="new weights").click()
    frames(page)
    assert page.get_by_role("img").evaluate(path) != before


def test_an_update_is_fast(compute):
    body = """const time = () => {
        const start = performance.now();
        omegaLines(given);
        return performance.now() - start;
      };
      return Math.min(...[1, 2, 3, 4, 5].map(time));"""
    given = {"waves": line_waves().tolist(), "count": COUNT, "omega": 20, "seed": 1}
    milliseconds = compute(body, given)
    print(f"an update takes {milliseconds:.0f} ms")
    assert milliseconds < 200


@pytest.mark.parametrize("width", [320, 390, 1100])
def test_it_fits_and_is_large_enough(chromium, width):
    with watched(chromium, viewport={"width": width, "height": 800}) as page:
        show(page, explore_omega_0(alt=ALT))
        frames(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        scale = page.get_by_role("img").evaluate("(svg) => svg.getScreenCTM().a")
        assert scale == pytest.approx(1, abs=0.02)  # texts of 12 pixels stay 12
        for control in page.locator("button, input").all():
            assert control.bounding_box()["height"] >= 32


def test_dark(page):
    places = [
        ("svg text", "fill"),
        (".truth", "stroke"),
        ("output", "color"),
        ("button", "color"),
        (".dot.level", "fill"),
    ]
    colors = colors_in_the_dark(page, explore_omega_0(alt=ALT), *places)
    assert colors == ["rgb(221, 221, 221)"] * 5
