"""The activation explorer: its numbers against sirenlib and NumPy, and its use."""

import base64
import functools
import io
import itertools
import math
import re

import numpy as np
import pytest
from browser import run, show, watched
from PIL import Image
from scipy import integrate, stats

import sirenlib
from sirenlib import theory
from sirenlib.initialization import phase_bounds
from sirenlib.viewer import explore_activations

ALT = "Histograms of phases and sines in five layers."
SCRIPT = "explore_activations"
SCHEMES = {"official": "official", "none": "zero-bias", "random phase": "random-phase"}
START = {"width": 128, "depth": 5, "omega": 30, "c": math.sqrt(6), "many": True}


def settings(biases="official", **changes):
    return {**START, "biases": biases, **changes}


# The laws


def test_layer_laws(page):
    body = """
      return given.map((settings) => {
        const bounds = startBounds(settings);
        const laws = layerLaws(bounds, inputGrid(EXPLORED.inputs));
        return {
          bounds: bounds.map(({ inputs, weight, bias }) => [inputs, weight, bias]),
          laws: laws.map((law) => [law.before, law.after, law.gradient]) };
      });"""
    sizes = itertools.product(SCHEMES, [(128, 5, 30), (16, 3, 4), (8, 2, 60)])
    cases = [
        settings(biases, width=width, depth=depth, omega=omega)
        for biases, (width, depth, omega) in sizes
    ]
    for case, found in zip(cases, run(page, SCRIPT, body, cases), strict=True):
        scheme = SCHEMES[case["biases"]]
        omega_0, depth = case["omega"], case["depth"]
        settings_of = (1, case["width"], depth - 1, 1, True, omega_0, omega_0, scheme)
        bounds = phase_bounds(sirenlib.Siren(*settings_of), scheme)[:depth]
        flat = [[fan_in, *halves] for fan_in, halves in bounds]
        assert np.allclose(found["bounds"], flat, rtol=1e-14)
        laws = theory.network_law(np.linspace(-1, 1, 32)[:, None], bounds)
        wanted = [[a.variance**0.5, a.sine_variance**0.5, a.gradient] for a in laws]
        assert np.allclose(found["laws"], wanted, rtol=1e-10)


def test_recursion(page):
    """Of any scale of the weights, on both sides of c² = 3 too."""
    body = """
      return given.map(([q, s, c, half]) => [nextVariance(q, s, c),
        gradientFactor(q, s, c), fixedPoint(s, c), uniformBiasFactor(half)]);"""
    rng = np.random.default_rng(0)
    given = rng.uniform([0, -0.2, 1, 0], [4, 1, 5, 10], (200, 4))
    given[:20, 1], given[0, 3] = 1.0, 0.0
    wanted = [
        [
            theory.next_variance(q, s, c),
            theory.gradient_factor(q, s, c),
            theory.fixed_point(s, c),
            theory.uniform_bias_factor(half),
        ]
        for q, s, c, half in given
    ]
    found = run(page, SCRIPT, body, given.tolist())
    assert np.abs(np.array(found) - wanted).max() < 1e-10


def test_error_function_and_first_sum(page):
    body = """
      return given.map((z) => [
        normalPlusUniform(z, 0.7, 0), normalPlusUniform(z, 0.7, 2),
        normalPlusUniform(z, 1e-6, 0.05), uniformPlusUniform(z, 1.5, 0),
        uniformPlusUniform(z, 1.5, 0.4)]);"""
    z = np.linspace(-6, 6, 241)
    found = np.array(run(page, SCRIPT, body, z.tolist()))

    def averaged(cdf, half):
        """The mean of a distribution function over a uniform shift."""
        return [
            integrate.quad(cdf, each - half, each + half, points=[-1.5, 1.5])[0]
            / (2 * half)
            for each in z
        ]

    normal, uniform = stats.norm(scale=math.sqrt(0.7)), stats.uniform(-1.5, 3)
    wanted = [normal.cdf(z), averaged(normal.cdf, 2), None]
    wanted += [uniform.cdf(z), averaged(uniform.cdf, 0.4)]
    for column, expected in zip(found.T, wanted, strict=True):
        if expected is not None:
            assert np.abs(column - expected).max() < 1e-10
    # A narrow normal law hardly changes the uniform one.
    narrow = stats.uniform(-0.05, 0.1).cdf(z)
    assert np.abs(found[:, 2] - narrow).max() < 0.01


def test_laws_of_the_sines(page):
    """Folded, against the closed forms of chapters 5 and 6."""
    y = np.linspace(-1, 1, 41)
    body = """
      const x = Float64Array.of(-0.5, 0.5);
      const law = { first: given.first, weight: given.weight, bias: given.bias, x,
        sums: [given.q, given.q] };
      return given.y.map(sineLaw(phaseLaw(law), reachOf(law)));"""

    def found(**given):
        given = {"weight": 30.0, "bias": 0.0, "q": 1.0, "first": False, **given}
        return np.array(run(page, SCRIPT, body, {**given, "y": y.tolist()}))

    for q in (0.001, 0.8, 4.0):
        exact = theory.sine_of_normal_cdf(y, math.sqrt(q))
        assert np.abs(found(q=q) - exact).max() < 1e-10
    for weight in (1.0, 4.0, 60.0):
        exact = theory.sine_of_uniform_cdf(y, weight / 2)
        assert np.abs(found(first=True, weight=weight) - exact).max() < 1e-10
    for first in (True, False):
        arcsine = found(first=first, bias=math.pi)
        assert np.abs(arcsine - theory.ARCSINE.cdf(y)).max() < 1e-10


def test_densities_of_the_official_start(page):
    """Against chapter 7's densities, in every bin of the first two layers."""
    body = """
      const laws = layerLaws(startBounds(given), inputGrid(EXPLORED.inputs));
      return laws.slice(0, 2).map((law) => binDensities(phaseLaw(law), 10, 20));"""
    first, second = np.array(run(page, SCRIPT, body, settings()))
    edges = np.linspace(-10, 10, 21)
    x, rng = np.linspace(-1, 1, 32), np.random.default_rng(1)
    w, b = rng.uniform(-30, 30, (2, 200_000, 1))
    share, _ = np.histogram(w * x + b, edges)
    assert np.abs(first - share / (32 * 200_000)).max() < 3e-4
    beta = 30 / math.sqrt(128)
    sums = 1 - theory.uniform_bias_factor(30.0) * np.sinc(60 * x / np.pi)

    def density(z):
        normal = stats.norm(scale=np.sqrt(sums))
        return (normal.cdf(z + beta) - normal.cdf(z - beta)).mean() / (2 * beta)

    exact = [
        integrate.quad(density, *pair)[0]
        for pair in np.stack([edges[:-1], edges[1:]], 1)
    ]
    assert np.abs(second - exact).max() < 1e-9


# The simulation


def drawn(page, **changes):
    """The weights of one network, and what the page computes with them."""
    body = """
      const next = seededNumbers(7), x = inputGrid(given.inputs);
      const layers = drawLayers(startBounds(given), given.width, next);
      const phases = phasesOf(layers, x);
      const gradient = phases[0].map(() => 2 * next() - 1);
      return { W: layers.map((each) => Array.from(each.W)),
        b: layers.map((each) => Array.from(each.b)), x: Array.from(x),
        phases: phases.map((each) => Array.from(each)), gradient: Array.from(gradient),
        squares: gradientSquares(layers, phases, gradient) };"""
    given = settings(inputs=6, width=16, depth=4) | changes
    return given, run(page, SCRIPT, body, given)


@pytest.mark.parametrize("biases", SCHEMES)
def test_simulation_against_numpy(page, biases):
    given, found = drawn(page, biases=biases)
    width, points = given["width"], given["inputs"]
    assert np.allclose(found["x"], np.linspace(-1, 1, points), atol=1e-15)
    h, layers = np.array(found["x"])[:, None], []
    for W, b, phases in zip(found["W"], found["b"], found["phases"], strict=True):
        W = np.reshape(W, (width, -1))
        z = h @ W.T + b
        assert np.abs(np.reshape(phases, z.shape) - z).max() < 1e-12
        layers.append((W, z))
        h = np.sin(z)
    gradient = np.reshape(found["gradient"], (points, width))
    squares = [np.square(gradient).sum()]
    for (W, _), (_, z) in zip(layers[:0:-1], layers[-2::-1], strict=True):
        gradient = gradient @ W * np.cos(z)
        squares.insert(0, np.square(gradient).sum())
    assert np.allclose(found["squares"], squares, rtol=1e-12)


@pytest.mark.parametrize("biases", SCHEMES)
def test_output_against_numpy(page, biases):
    """Of the first network that the histograms show."""
    body = """
      const layers = drawLayers(startBounds(given), given.width, seededNumbers(5));
      const next = seededNumbers(5 + 2 ** 16);
      return { W: layers.map((each) => Array.from(each.W)),
        b: layers.map((each) => Array.from(each.b)),
        last: Array.from({ length: given.width }, next),
        first: Array.from(drawActivations(given, 5)[0].phases.slice(0, 32)),
        points: outputOverInputs(given, 5) };"""
    given = settings(biases, width=32, depth=4, c=3.0)
    found = run(page, SCRIPT, body, given)
    x, values = np.transpose(found["points"])
    assert np.allclose(x, np.linspace(-1, 1, 240), atol=1e-15)
    h = x[:, None]
    for W, b in zip(found["W"], found["b"], strict=True):
        h = np.sin(h @ np.reshape(W, (32, -1)).T + b)
    weights = math.sqrt(6 / 32) * (2 * np.array(found["last"]) - 1)
    assert np.abs(values - h @ weights).max() < 1e-12
    at_the_left = -np.array(found["W"][0]) + found["b"][0]
    assert np.abs(at_the_left - found["first"]).max() < 1e-12


def test_output_dies_and_goes_wild(page):
    """Alive it has a slope of its own; dead it is flat, and wild it is noise."""
    body = "return given.map((each) => outputOverInputs(each, 1).map(([, y]) => y));"
    cases = [settings("none", depth=12, c=c) for c in (1.0, math.sqrt(6), 5.0)]
    dead, alive, wild = map(np.array, run(page, SCRIPT, body, cases))
    assert np.abs(dead).max() < 0.01 < 0.2 < alive.std() < 2 and wild.std() > 0.5
    roughness = [np.diff(y).std() / y.std() for y in (alive, wild)]
    assert roughness[1] > 1.2 > roughness[0]


def test_weights_follow_the_start(page):
    _, found = drawn(page, width=64, c=3.0, omega=20)
    halves, unit = [20] + 3 * [3 / 8], []
    for W, b, half in zip(found["W"], found["b"], halves, strict=True):
        bias = 20 if half == 20 else 20 / 8
        for numbers, bound in ((W, half), (b, bias)):
            unit.append(np.divide(numbers, bound))
            assert 0.9 < np.abs(unit[-1]).max() <= 1
    assert stats.kstest(np.concatenate(unit), "uniform", (-1, 2)).pvalue > 1e-3
    # Other bounds scale the same numbers.
    _, other = drawn(page, width=64, c=1.5, omega=10, biases="random phase")
    assert np.allclose(other["W"][1], np.array(found["W"][1]) / 2, rtol=1e-14)
    assert np.allclose(other["b"][1], np.array(found["b"][1]) * np.pi / 2.5, rtol=1e-14)


def test_seeded_numbers(page):
    body = """
      return given.map((seed) => {
        const next = seededNumbers(seed);
        return Array.from({ length: 20000 }, next);
      });"""
    found = np.array(run(page, SCRIPT, body, [1, 2, 3, 1]))
    assert (found[0] == found[3]).all()
    assert found.min() >= 0 and found.max() < 1
    for numbers in found[:3]:
        assert stats.kstest(numbers, "uniform").pvalue > 1e-3
    follow = [np.corrcoef(row[:-1], row[1:])[0, 1] for row in found[:3]]
    between = np.corrcoef(found[:3])[np.triu_indices(3, 1)]
    assert np.abs([*follow, *between]).max() < 3.5 / math.sqrt(20000)


def test_statistics_against_numpy(page):
    body = """
      const found = drawActivations(given, 3);
      return found.map(({ phases, sines }) => ({ phases: Array.from(phases),
        deviations: [phases, sines].map(standardDeviation),
        counts: [binCounts(phases, 3, 40), binCounts(sines, 1, 40)],
        drawn: histogramWithLaw(phases, () => 0, 3, 40).measured }));"""
    for layer in run(page, SCRIPT, body, settings(width=256, depth=2)):
        phases = np.array(layer["phases"])
        assert phases.shape == (1024 * 32,)
        pairs = [(phases, 3), (np.sin(phases), 1)]
        for (values, edge), deviation, counts in zip(
            pairs, layer["deviations"], layer["counts"], strict=True
        ):
            assert math.isclose(deviation, values.std(), rel_tol=1e-12)
            assert counts == np.histogram(values, 40, (-edge, edge))[0].tolist()
        heights = np.histogram(phases, 40, (-3, 3))[0] / phases.size / (6 / 40)
        assert np.allclose(layer["drawn"], heights, rtol=1e-12)


def test_values_at_the_edge_count(page):
    values = [-1.5, -1.0, -0.99, 0.0, 0.5, 1.0, 1.01]
    found = run(page, SCRIPT, "return binCounts(given, 1, 8);", values)
    assert found == np.histogram(values, 8, (-1, 1))[0].tolist()


def test_law_and_measurement_agree(page):
    """At width 256, in standard deviations, gradients and histograms."""
    body = "return given.map((settings) => activationReport(settings, 1));"
    cases = [
        settings(biases, width=256, c=c)
        for biases, c in itertools.product(SCHEMES, [1.0, math.sqrt(6), 4.0])
    ]
    for layers in run(page, SCRIPT, body, cases):
        for layer in layers:
            for name in ("before", "after", "chi"):
                if layer[name] is not None:
                    law, measured = layer[name]
                    assert abs(measured / law - 1) < 0.06, name
            for name in ("phases", "sines"):
                off = np.subtract(layer[name]["measured"], layer[name]["predicted"])
                misplaced = np.abs(off).sum() / 2 * (2 * layer[name]["edge"] / 40)
                # 1024 neurons in 40 bins scatter by 0.08 of the sample.
                assert misplaced < 0.1, name


def test_an_update_is_fast(page):
    body = """
      activationReport(given, 1);
      const times = [2, 3, 4, 5, 6].map((seed) => {
        const start = performance.now();
        activationReport(given, seed);
        return performance.now() - start;
      });
      return Math.min(...times);"""
    milliseconds = run(page, SCRIPT, body, settings())
    print(f"an update takes {milliseconds:.0f} ms")
    assert milliseconds < 400


# Its use


class Explorer:
    """The page, operated and read as a person does it."""

    def __init__(self, page):
        self.page = page

    def press(self, slider, key, times=1):
        handle = self.page.get_by_role("slider", name=slider)
        handle.focus()
        for _ in range(times):
            self.page.keyboard.press(key)
        self.settle()

    def click(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()
        self.settle()

    def settle(self):
        self.page.locator("output[aria-busy=false]").wait_for()

    def rows(self) -> dict:
        """Per row of the table: [before, after, chi], each (law, measured)."""
        self.settle()
        rows = {}
        for row in self.page.locator("tbody tr").all():
            name = row.locator("th").text_content()
            cells = row.locator("td").all_text_contents()
            rows[name] = [tuple(map(number, cell.split(" / "))) for cell in cells]
        return rows

    def bars(self) -> list[str]:
        return [bar.get_attribute("d") for bar in self.page.locator("path.bars").all()]


def number(text: str) -> float:
    return math.nan if text == "–" else float(text)


@functools.cache
def output(**start):
    return explore_activations(**start, alt=ALT)


@pytest.fixture
def explorer(page):
    show(page, output(width=256))
    return Explorer(page)


def close(pair, value, within):
    return all(abs(each - value) < within for each in pair)


def test_official_start(explorer):
    rows = explorer.rows()
    assert list(rows) == ["1", "2", "3", "4", "5", "limit"]
    assert close(rows["1"][0], 20.2, 1.0)
    for layer in "345":
        before, after, _ = rows[layer]
        assert abs(before[0] - 1.480) < 0.0011 and close(before, 1.48, 0.06)
        assert close(after, 0.714, 0.02)
    assert rows["limit"] == [(1.480,), (0.714,), (0.980,)]
    assert abs(rows["3"][2][0] - 0.980) < 0.0011 and close(rows["3"][2], 0.98, 0.05)
    assert math.isnan(rows["5"][2][0])


def test_biases(explorer):
    before = explorer.bars()
    explorer.click("none")
    rows = explorer.rows()
    assert rows["limit"] == [(0.893,), (0.631,), (1.203,)]
    assert close(rows["5"][0], 0.893, 0.04) and close(rows["5"][1], 0.631, 0.03)
    assert explorer.bars() != before
    explorer.click("random phase")
    rows = explorer.rows()
    for layer in "12345":
        assert rows[layer][1][0] == 0.707 and close(rows[layer][1], 0.707, 0.02)
    assert rows["limit"] == [(2.071,), (0.707,), (1.0,)]
    pressed = explorer.page.get_by_role("button", pressed=True).all_text_contents()
    assert pressed == ["random phase", "many"]
    explorer.click("official")
    assert explorer.bars() == before


def test_small_weights_die_out(explorer):
    explorer.click("none")
    explorer.press("weight scale c", "Home")
    explorer.press("layers", "End")
    rows = explorer.rows()
    assert len(rows) == 13 and rows["limit"][0] == (0.0,)
    measured = [rows[str(layer)][0][1] for layer in range(2, 13)]
    assert all(np.diff(measured) < 0) and measured[-1] < 0.01
    assert rows["limit"][2] == (0.333,)


def test_width_and_omega(explorer):
    explorer.press("width", "ArrowRight")
    assert close(explorer.rows()["5"][0], 1.249, 0.06)
    explorer.press("ω₀", "Home")
    rows = explorer.rows()
    assert explorer.page.get_by_role("slider", name="ω₀").input_value() == "1"
    # omega_0 / sqrt(n) alone counts in deep layers: at omega_0 = 1 biases are small.
    assert rows["limit"] == [(0.893,), (0.631,), (1.203,)]
    explorer.press("width", "Home")
    assert len(explorer.rows()) == 6
    text = explorer.page.locator(".note").last.text_content()
    assert "128 networks" in text


def test_new_weights(explorer):
    before, rows = explorer.bars(), explorer.rows()
    explorer.click("new weights")
    again = explorer.rows()
    assert (
        explorer.bars() != before
        and "draw 2" in explorer.page.locator(".note").last.text_content()
    )
    for layer in "12345":
        assert again[layer][0][0] == rows[layer][0][0]
        assert again[layer][0][1] != rows[layer][0][1]


def test_one_narrow_network_scatters(explorer):
    """Many together follow the law at width 8 too."""
    explorer.press("width", "Home")
    law, measured = explorer.rows()["5"][0]
    assert abs(measured / law - 1) < 0.06
    explorer.click("one")
    draws = []
    for _ in range(4):
        explorer.click("new weights")
        draws.append(explorer.rows()["5"][0][1])
    assert max(draws) / min(draws) > 1.15
    assert "1 network (draw 5)" in explorer.page.locator(".note").last.text_content()


def ends(curve) -> list[float]:
    """The lowest and the highest value, as they are said."""
    said = curve.get_attribute("aria-label").replace("−", "-")
    assert said.startswith("One output of one network for x from -1 to 1: from ")
    return [float(each) for each in re.findall(r"-?\d+\.\d+", said)]


def test_said_to_a_screen_reader(explorer):
    rows = explorer.rows()  # waits until they are drawn
    labels = [
        plot.get_attribute("aria-label")
        for plot in explorer.page.locator(".layers svg").all()
    ]
    assert len(labels) == 10
    for layer in range(1, 6):
        for place, label in enumerate(labels[2 * layer - 2 : 2 * layer]):
            words = re.findall(r"\d+\.\d+", label)
            assert tuple(map(float, words)) == rows[str(layer)][place]
            assert f"Layer {layer}, {('before', 'after')[place]} the sine" in label
    said = explorer.page.locator("output").text_content()
    assert [float(each) for each in re.findall(r"\d+\.\d+", said)] == [
        *rows["5"][0],
        *rows["5"][1],
    ]
    curve = explorer.page.locator(".curve svg")
    alive = ends(curve)
    assert -3 < alive[0] < alive[1] < 3 and alive[1] - alive[0] > 1
    explorer.click("none")
    explorer.press("weight scale c", "Home")
    explorer.press("layers", "End")
    assert np.abs(ends(curve)).max() < 0.01
    explorer.press("weight scale c", "ArrowRight", 10)
    value = explorer.page.get_by_role("slider", name="weight scale c")
    assert value.get_attribute("aria-valuetext") == "√6 = 2.449"


# Where it is shown


def test_fits_the_window(page):
    page.set_content(explore_activations(depth=3, alt=ALT).page("x"))
    page.locator("output[aria-busy=false]").wait_for()
    for width in (1100, 390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        # One unit of a drawing is one pixel, so that its text keeps its size.
        page.wait_for_function(
            """() => {
              const { shadowRoot } = document.querySelector(".sirenlib > div");
              const plots = [...shadowRoot.querySelectorAll("svg")];
              const scales = plots.map((plot) =>
                plot.clientWidth / plot.viewBox.baseVal.width);
              return scales.every((scale) => scale >= 1 && scale < 1.02);
            }"""
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    for control in page.locator("button, input").all():
        assert control.bounding_box()["height"] >= 32


def test_in_a_sandbox_in_the_dark_without_motion(chromium):
    settings = {"reduced_motion": "reduce", "color_scheme": "dark"}
    with watched(chromium, **settings) as page:
        page.set_content(
            '<iframe sandbox="allow-scripts" width=800 height=700></iframe>'
        )
        page.locator("iframe").evaluate(
            "(frame, text) => { frame.srcdoc = text; }",
            explore_activations(depth=2, alt=ALT).page("x"),
        )
        frame = page.frame_locator("iframe")
        frame.get_by_role("button", name="none", exact=True).click()
        frame.locator("output[aria-busy=false]").wait_for()
        frame.get_by_role("rowheader", name="limit").wait_for()
        assert "0.893" in frame.locator("tbody").text_content()
        ink = "(text) => getComputedStyle(text).fill"
        assert frame.locator("svg text").first.evaluate(ink) == "rgb(255, 255, 255)"


def test_picture():
    """Of the same networks: small, and the same each time."""
    output = explore_activations(width=512, depth=12, alt=ALT)
    assert output.html() == explore_activations(width=512, depth=12, alt=ALT).html()
    data = base64.b64decode(output.picture)
    assert Image.open(io.BytesIO(data)).width <= 700 and len(data) < 70_000


def test_arguments():
    for wrong in ({"width": 4}, {"depth": 1}, {"omega_0": 61}, {"omega_0": 2.5}):
        with pytest.raises(ValueError, match="must be a whole number from"):
            explore_activations(**wrong, alt=ALT)
    with pytest.raises(ValueError, match="power of two"):
        explore_activations(width=100, alt=ALT)
    with pytest.raises(ValueError, match="init must be one of official, zero-bias"):
        explore_activations(init="fast", alt=ALT)


def test_starts_where_it_is_told(page):
    start = {"width": 64, "depth": 3, "omega_0": 10.0, "init": "zero-bias"}
    show(page, explore_activations(**start, alt=ALT))
    explorer = Explorer(page)
    assert list(explorer.rows()) == ["1", "2", "3", "limit"]
    found = {
        slider.get_attribute("aria-label"): slider.get_attribute("aria-valuetext")
        for slider in page.get_by_role("slider").all()
    }
    assert found == {
        "width": "64",
        "layers": "3",
        "ω₀": "10",
        "weight scale c": "√6 = 2.449",
    }
    pressed = page.get_by_role("button", pressed=True).all_text_contents()
    assert pressed == ["none", "many"]
