"""The folding explorer: its numbers against NumPy and SciPy, and its use in a page."""

import base64
import io
import math
import re

import numpy as np
import pytest
from browser import box_of, colors_in_the_dark, frames, run, show, watched
from PIL import Image

import sirenlib
from sirenlib import theory
from sirenlib.viewer import explore_folding

ALT = "A sine with a level, and the histogram of its values."
SCRIPT = "explore_folding"
PI = math.pi
WHOLE, HALF = [2 * PI, 5 * PI, 12 * PI], [1.5 * PI, 7.5 * PI]


@pytest.fixture(scope="module")
def chromium_page(chromium):
    """One page for all pure computations."""
    with watched(chromium) as page:
        yield page


@pytest.fixture(scope="module")
def compute(chromium_page):
    def compute(body, given=None):
        return run(chromium_page, SCRIPT, body, given)

    return compute


@pytest.fixture(scope="module")
def cases():
    """Half-widths from 0.05 to 60 and any middles."""
    rng = np.random.default_rng(0)
    a = np.exp(rng.uniform(np.log(0.05), np.log(60), 600))
    return np.column_stack([a, rng.uniform(-7, 7, 600)])


def distances(compute, pairs):
    body = "return given.map(([a, b]) => distanceToArcsine(a, b));"
    return np.array(compute(body, np.asarray(pairs, dtype=float).tolist()))


# The numbers


def test_distribution_function(compute, cases):
    levels = [*np.linspace(-1, 1, 41), 0.999999, -0.123456789]
    body = """return given.pairs.map(([a, b]) => given.levels.map((y) =>
      shareBelow(Math.asin(y), a, b)));"""
    found = compute(body, {"pairs": cases.tolist(), "levels": levels})
    wanted = [theory.sine_of_uniform_cdf(levels, a, b) for a, b in cases]
    assert np.abs(np.array(found) - wanted).max() < 1e-12


def test_distance_is_the_largest_gap(compute, cases):
    levels = np.sin(np.linspace(-PI / 2, PI / 2, 4001))
    law = theory.ARCSINE.cdf(levels)
    found = distances(compute, cases)
    for (a, b), distance in zip(cases, found, strict=True):
        gap = np.abs(theory.sine_of_uniform_cdf(levels, a, b) - law).max()
        # The gap changes by at most 1/a of the change of arcsin y, here pi/4000.
        assert gap - 1e-12 <= distance <= gap + PI / 4000 / a + 1e-12


def test_distance_keeps_the_bound_and_reaches_it(compute, cases):
    assert (distances(compute, cases) <= PI / 4 / cases[:, 0] + 1e-12).all()
    reached = distances(compute, [(a, PI / 2) for a in HALF])
    assert np.abs(reached - PI / 4 / np.array(HALF)).max() < 1e-12


def test_distance_is_zero_where_the_law_is_exact(compute):
    pairs = [(a, b) for a in [PI, *WHOLE] for b in np.linspace(-3, 3, 13)]
    assert distances(compute, [*pairs, (PI / 2, 0)]).max() < 1e-12


def test_crossings(compute, cases):
    levels = [-1, -0.7, 0, 0.6, 1]
    body = """return given.pairs.map(([a, b]) => given.levels.map((y) =>
      levelCrossings(Math.asin(y), a, b)));"""
    found = compute(body, {"pairs": cases.tolist(), "levels": levels})
    turns = np.arange(-25, 26)
    for (a, b), row in zip(cases, found, strict=True):
        for y, crossings in zip(levels, row, strict=True):
            # Claim 3.2, written with the fold: piece k is crossed at kπ ± arcsin y.
            both = PI * turns + np.where(turns % 2, -1, 1) * np.arcsin(y)
            wanted = both[np.abs(both - b) <= a]
            got = sorted(crossings["rising"] + crossings["falling"])
            wanted = np.unique(wanted.round(9))
            assert len(got) == len(wanted) and np.allclose(got, wanted, atol=1e-8)


def test_distance_of_a_sample(compute):
    rng = np.random.default_rng(1)
    for a, b, count in [(PI / 2, 0, 1), (PI, 1, 7), (2, PI / 2, 500), (30, 0, 4000)]:
        sines = np.sin(a * rng.uniform(-1, 1, count) + b)
        found = compute(
            "return sampleDistance(Float64Array.from(given))", sines.tolist()
        )
        wanted = sirenlib.ks_distance(sines, theory.ARCSINE.cdf)
        assert found == pytest.approx(wanted, abs=1e-13)


def test_drawn_numbers_are_uniform_and_repeat(compute):
    body = "return [5, 5, 6].map((seed) => Array.from(uniformNumbers(seed, 20000)));"
    first, again, other = np.array(compute(body))
    assert (first == again).all()
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.03
    for numbers in (first, other):
        gap = sirenlib.ks_distance(numbers, lambda x: (x + 1) / 2)
        assert gap < sirenlib.ks_critical(20_000)
        assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.03


def test_bars_are_densities_from_300_on(compute):
    sines = np.sin(np.random.default_rng(2).uniform(-PI, PI, 2000))
    body = "return given.map((sines) => Array.from(foldingBars(sines)));"
    many, few = compute(body, [sines.tolist(), [-1, 1, 0.99, 0.51]])
    wanted, _ = np.histogram(sines, bins=40, range=(-1, 1), density=True)
    assert np.allclose(many, wanted, atol=1e-5)
    assert np.allclose(np.array(few)[[0, 30, 39]] * 300 / 20, [1, 1, 2])


def test_time_of_the_drawing(compute):
    body = """return [[0, 0.9, 1, 3, 5, 7, 9, 11, 20].map(arrivedAfter),
      [1, 2, 17, 1000, 100000].map((n) => arrivedAfter(departure(n) + FLIGHT_SECONDS)),
      [0, 3, 5, 3.5].map((t) => arrivedAfter(nextPower(t))),
      [0.3, 2, 5, 8, 10.9].map(anglesInFlight)];"""
    arrived, at_landing, powers, flying = compute(body)
    assert arrived == [0, 0, 1, 10, 100, 1000, 10_000, 100_000, 100_000]
    assert at_landing == [1, 2, 17, 1000, 100_000]
    assert powers == [10, 100, 1000, 100]
    assert [number for number, _ in flying[0]] == [1]
    assert all(-1e-9 < part < 1 for each in flying for _, part in each)
    assert [len(each) > 0 for each in flying] == [True] * 5
    assert max(map(len, flying)) < 60


def test_slider_stops_and_names(compute):
    body = """return [sliderStops((i) => i / 10, 11, [0.3, 0.55]),
      [0, PI / 2, -PI, 1.5 * PI, -PI / 2, 4 * PI, 30, 0.598].map(angleName)];"""
    stops, names = compute("const { PI } = Math;" + body)
    assert np.allclose(stops, sorted([*np.arange(11) / 10, 0.55]))
    assert 0.3 in stops  # 3 / 10 is another number than 0.3 in some languages
    assert names == ["0", "π/2", "-π", "3π/2", "-π/2", "4π", "30", "0.6"]


# The picture and the arguments


def test_the_same_call_gives_the_same_html():
    first, again = (explore_folding(PI, alt=ALT).html() for _ in range(2))
    assert first == again
    assert first != explore_folding(PI, level=0.5, alt=ALT).html()
    assert len(first) < 70_000


@pytest.mark.parametrize("a, b, level", [(PI / 2, 0, 0.6), (100, -7, 1), (0.1, 0, -1)])
def test_picture(a, b, level):
    output = explore_folding(a, b, level=level, alt=ALT)
    file = base64.b64decode(output.picture)
    picture = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    assert 640 <= picture.shape[1] <= 800 and len(file) < 60_000
    assert (picture[..., 0] < 100).sum() > 500  # there is something in it


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"a": 0}, "a must be a positive number"),
        ({"a": 101}, "a must be between -100 and 100"),
        ({"b": math.nan}, "b must be between -100 and 100"),
        ({"level": 1.2}, "level must be between -1 and 1"),
        ({"alt": " "}, "alt is empty"),
    ],
)
def test_wrong_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        explore_folding(**{"alt": ALT, **arguments})


# In a page


def row(page, name) -> list[str]:
    """The numbers of a row of the table, once the next frame is drawn."""
    frames(page)
    return page.get_by_role("row", name=name).get_by_role("cell").all_inner_texts()


def drawn(page) -> int:
    text = page.get_by_role("rowheader", name="N =").inner_text()
    return int(re.search(r"[\d,]+", text)[0].replace(",", ""))


def test_level_slider(page):
    show(page, explore_folding(2 * PI, alt=ALT))
    page.get_by_role("slider", name="level y").fill("-0.3")
    wanted = f"{0.5 + math.asin(-0.3) / PI:.4f}"
    assert row(page, "all angles") == [wanted, "0", "π/4a = 0.1250"]
    assert row(page, "arcsine law")[0] == wanted
    label = page.get_by_role("img").get_attribute("aria-label")
    assert "Crossings of y = -0.30: 4." in label and wanted in label
    assert "○ π - arcsin y = 3.45" in page.locator("output").inner_text()
    assert page.locator("svg circle").count() == 4


def test_keys_move_the_level_and_a_mouse_drags_it(page):
    show(page, explore_folding(alt=ALT))
    page.get_by_role("slider", name="level y").press("ArrowRight")
    assert row(page, "all angles")[0] == f"{0.5 + math.asin(0.61) / PI:.4f}"
    box = box_of(page.get_by_role("img"))
    place = box["x"] + 100, box["y"] + 126  # height 0 is halfway from 22 to 230
    page.mouse.move(*place)
    page.mouse.down()
    page.mouse.move(place[0], place[1] + 0.5 / 2.16 * 208, steps=3)
    page.mouse.up()
    page.mouse.move(*place)
    assert float(page.get_by_role("slider", name="level y").input_value()) == (
        pytest.approx(-0.5, abs=0.02)
    )
    assert float(row(page, "all angles")[0]) == pytest.approx(1 / 3, abs=0.01)


def test_buttons_and_sliders_of_a_and_b(page):
    show(page, explore_folding(2, PI / 2, alt=ALT))
    assert row(page, "all angles")[1] == "0.3634"  # as chapter 5 prints it
    a, b = (page.get_by_role("slider", name=name, exact=True) for name in "ab")
    page.get_by_role("button", name="a = π", exact=True).click()
    assert row(page, "all angles")[1:] == ["0", "π/4a = 0.2500"]
    assert a.get_attribute("aria-valuetext") == "π"
    a.press("ArrowRight")
    assert row(page, "all angles")[1] != "0"
    page.get_by_role("button", name="a = 30").click()
    assert row(page, "all angles")[2] == "π/4a = 0.0262"
    b.press("Home")
    assert b.get_attribute("aria-valuetext") == "0"
    b.press("End")
    assert b.get_attribute("aria-valuetext") == "2π"
    page.get_by_role("button", name="a = π/2").click()
    assert row(page, "all angles")[1] == "0"


def test_the_slider_of_a_meets_the_turns(page):
    show(page, explore_folding(0.3, alt=ALT))
    names = page.get_by_role("slider", name="a", exact=True).evaluate("""(slider) =>
      Array.from({ length: Number(slider.max) + 1 }, (_, i) => {
        slider.value = i;
        slider.dispatchEvent(new Event("input"));
        return slider.getAttribute("aria-valuetext");
      })""")
    assert {"0.3", "π/2", "π", "3π/2", "2π", "4π", "8π", "30"} <= set(names)
    assert float(names[-1]) > 40


def test_simple_is_the_wave_alone(page):
    output = explore_folding(2 * PI, simple=True, alt=ALT)
    assert output.picture != explore_folding(2 * PI, alt=ALT).picture
    show(page, output)
    said = page.locator("output")
    share = f"{0.5 + math.asin(0.6) / PI:.4f}"
    assert f"at or below y on {share} of the range" in said.inner_text()
    assert page.get_by_role("table").count() == 0
    assert page.get_by_role("button", name="draw angles").count() == 0
    assert page.locator("svg .bars.measured").count() == 0
    assert "histogram" not in page.get_by_role("img").get_attribute("aria-label")
    page.get_by_role("slider", name="level y").fill("-0.3")
    frames(page)
    assert "Crossings of y = -0.30: 4." in said.inner_text()
    wave = page.locator("svg path.line.measured").evaluate(
        "(path) => path.getBBox().width"
    )
    assert wave > 0.65 * box_of(page.get_by_role("img"))["width"]


def test_drawing_fills_the_histogram(page):
    show(page, explore_folding(PI, 1, alt=ALT))
    bars = "(svg) => svg.querySelector('.bars.measured').getAttribute('d')"
    svg = page.get_by_role("img")
    empty = svg.evaluate(bars)
    page.get_by_role("button", name="draw angles").press("Enter")
    # The way of the first one, beside the wave itself.
    page.locator("svg path.line.measured").nth(1).wait_for(state="attached")
    assert page.locator("output").get_attribute("aria-live") == "off"
    page.get_by_role("rowheader", name=re.compile(r"= ([4-9]|\d\d)")).wait_for()
    page.get_by_role("button", name="pause").press("Space")
    count = drawn(page)
    assert count > 3 and svg.evaluate(bars) != empty
    frames(page, 20)
    assert drawn(page) == count
    assert page.locator("output").get_attribute("aria-live") == "polite"
    page.get_by_role("button", name="start again").click()
    row(page, "N =")
    assert drawn(page) == 0 and svg.evaluate(bars) == empty


@pytest.fixture
def still(chromium):
    with watched(chromium, reduced_motion="reduce") as page:
        yield page


def test_without_motion_every_press_is_a_step(still):
    show(still, explore_folding(PI, 1, alt=ALT))
    button = still.get_by_role("button", name="draw angles")
    shares = []
    for wanted in [10, 100, 1000, 10_000, 100_000, 10]:
        button.click()
        numbers = row(still, "N =")
        assert drawn(still) == wanted
        assert still.locator("svg path.line.measured").count() <= 41  # no angle flies
        assert numbers[2] == f"1.63/√N = {1.63 / math.sqrt(wanted):.4f}"
        shares.append([float(each) for each in numbers[:2]])
    share, distance = shares[4]
    assert share == pytest.approx(0.7048, abs=0.005)
    assert distance < sirenlib.ks_critical(100_000)
    assert shares[5] != shares[0]  # after the end, other angles


def test_the_sample_follows_a(still):
    show(still, explore_folding(PI, PI / 2, alt=ALT))
    for _ in range(4):
        still.get_by_role("button", name="draw angles").click()
        row(still, "N =")
    still.get_by_role("slider", name="a", exact=True).press("Home")
    exact, sample = (float(row(still, name)[1]) for name in ("all angles", "N ="))
    assert exact > 0.4
    assert sample == pytest.approx(exact, abs=sirenlib.ks_critical(10_000))


def test_in_a_sandbox_late_and_more_than_once(page):
    html = explore_folding(PI, alt=ALT).html()
    other = explore_folding(PI, level=0.1, alt=ALT).html()
    page.set_content(
        '<iframe sandbox="allow-scripts" width="500" height="800"></iframe>'
    )
    # Its hosts come after the scripts, as in some notebooks.
    hosts = re.findall(r'<div class="sirenlib".*?</div>', html + other, re.DOTALL)
    scripts = re.sub(
        r'<div class="sirenlib".*?</div>', "", html + other, flags=re.DOTALL
    )
    late = (
        f"<script>setTimeout(() => document.body.innerHTML = {hosts!r}.join(''), 200)"
    )
    document = f"<body>{scripts}{late}</script></body>"
    page.locator("iframe").evaluate(
        "(frame, text) => { frame.srcdoc = text; }", document
    )
    frame = page.frame_locator("iframe")
    frame.get_by_role("img").nth(1).wait_for()
    frame.get_by_role("button", name="draw angles").first.click()
    frame.get_by_role("button", name="pause").wait_for()
    assert frame.get_by_role("button", name="draw angles").count() == 1


# With a = 5.95 an angle's name would end at the very edge of its axis.
@pytest.mark.parametrize("width, a", [(320, 30), (390, 5.95), (1100, 5.95)])
def test_it_fits_and_is_large_enough(chromium, width, a):
    with watched(chromium, viewport={"width": width, "height": 800}) as page:
        show(page, explore_folding(a, alt=ALT))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        svg = page.get_by_role("img")
        scale = svg.evaluate("(svg) => svg.getScreenCTM().a")
        assert scale == pytest.approx(1, abs=0.01)  # texts of 12 pixels stay 12
        for control in page.locator("button, input").all():
            assert control.bounding_box()["height"] >= 32
        texts = svg.locator("text").evaluate_all(
            "(all) => all.map((each) => each.getBoundingClientRect().toJSON())"
        )
        for i, one in enumerate(texts):
            for two in texts[:i]:
                apart = one["left"] >= two["right"] or two["left"] >= one["right"]
                level = one["top"] >= two["bottom"] or two["top"] >= one["bottom"]
                assert apart or level


def test_dark(page):
    places = [
        ("svg text", "fill"),
        (".line.level", "stroke"),
        ("td", "color"),
        ("button", "color"),
        (".dot.level", "fill"),
    ]
    colors = colors_in_the_dark(page, explore_folding(alt=ALT), *places)
    assert colors == ["rgb(221, 221, 221)"] * 5
